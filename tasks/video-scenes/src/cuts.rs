//! The rule that finds scene cuts.
//!
//! Owns: what a cut is: a frame whose histogram differs from the one before by more than the threshold, unless the scene
//! that it would end is too short. The first frame is none.
//! Never: looks ahead, so a cut does not depend on what comes later.

use crate::parameters::Parameters;
use crate::record::Seen;

/// A scene begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The first frame of the scene, from 0.
    pub(crate) frame: u64,
    /// In pixels.
    pub(crate) difference: u32,
}

/// Finds the cuts of one video.
#[derive(Debug)]
pub(crate) struct CutFinder {
    /// In pixels.
    threshold: f64,
    scene_frames_min: u64,
    scene_start: u64,
}

impl CutFinder {
    /// At the start of a video with so many pixels in a frame.
    pub(crate) fn new(parameters: &Parameters, pixels: u32) -> Self {
        Self {
            threshold: parameters.threshold.number() * f64::from(pixels),
            scene_frames_min: parameters.min_scene_frames.get().into(),
            scene_start: 0,
        }
    }

    /// The cut at this frame, if there is one.
    pub(crate) fn next(&mut self, seen: Seen<'_>) -> Option<Cut> {
        let is_long = seen.number - self.scene_start >= self.scene_frames_min;
        let is_cut = is_long && f64::from(seen.difference) > self.threshold;
        is_cut.then(|| {
            self.scene_start = seen.number;
            Cut { frame: seen.number, difference: seen.difference }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Counter;

    fn check(parameters: &str, differences: &[u32], expect: &[u64]) {
        let parameters = pframe_guest::parse_parameters(parameters).unwrap();
        let mut finder = CutFinder::new(&parameters, 100);
        let frame = Counter::new().frame();
        let cuts = (0..).zip(differences).filter_map(|(number, difference)| {
            finder.next(Seen { number, frame: &frame, difference: *difference })
        });
        assert_eq!(cuts.map(|cut| cut.frame).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_cut_is_above_the_threshold() {
        check(r#"{"min_scene_frames": 1}"#, &[0, 50, 51, 0, 100], &[2, 4]);
        check(r#"{"min_scene_frames": 1, "threshold": 1}"#, &[0, 100, 100], &[]);
        check(r#"{"min_scene_frames": 1, "threshold": 0}"#, &[0, 1, 0], &[1]);
    }

    #[test]
    fn a_scene_is_not_too_short() {
        check(r#"{"min_scene_frames": 3}"#, &[0, 60, 60, 60, 60, 60, 60, 60], &[3, 6]);
    }
}
