//! Progress of recognition: how much was heard, how much faster than it was spoken, and how long the rest will take.
//!
//! Owns: those three figures, from a clock and a counter.
//! Never: asks anybody but the counter.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pframe_core::units::show_duration;

use super::screen;
use super::told::say;

/// Time between two drawings.
const DRAWING_INTERVAL: Duration = Duration::from_millis(125);
const TEMPLATE: &str = "[{bar:24}] {wide_msg}";

/// The display. Once it is dropped nothing of it is left on the screen.
pub(crate) struct Listening {
    quit: Option<Sender<()>>,
    drawer: Option<JoinHandle<()>>,
}

/// A bar where stderr is a terminal; else a line each `interval`. `heard` counts from the start of the display.
pub(crate) fn start(
    all: Duration,
    interval: Duration,
    heard: impl Fn() -> Duration + Send + 'static,
) -> Listening {
    let (quit, quits) = channel();
    let draw = move || {
        let began = Instant::now();
        let sentence = || sentence(heard().min(all), all, began.elapsed());
        if screen::is_terminal() {
            draw_bar(&quits, || (share(heard(), all), sentence()));
        } else {
            while !is_over(&quits, interval) {
                say(&format!("progress: {}", sentence()));
            }
        }
    };
    let drawer = std::thread::Builder::new().name("pframe-progress".into()).spawn(draw).ok();
    Listening { quit: Some(quit), drawer }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.quit = None;
        if let Some(drawer) = self.drawer.take() {
            let _ = drawer.join();
        }
    }
}

fn is_over(quits: &Receiver<()>, wait: Duration) -> bool {
    quits.recv_timeout(wait) != Err(RecvTimeoutError::Timeout)
}

/// In thousandths.
fn share(heard: Duration, all: Duration) -> u64 {
    let share = heard.as_millis() * 1000 / all.as_millis().max(1);
    u64::try_from(share.min(1000)).unwrap_or(1000)
}

fn draw_bar(quits: &Receiver<()>, look: impl Fn() -> (u64, String)) {
    let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    screen::share_with(Some(all.clone()));
    let style = ProgressStyle::with_template(TEMPLATE).expect("a valid template");
    let bar = all.add(ProgressBar::new(1000).with_style(style.progress_chars("=> ")));
    while !is_over(quits, DRAWING_INTERVAL) {
        let (share, sentence) = look();
        bar.set_message(sentence);
        bar.set_position(share);
    }
    screen::share_with(None);
    let _ = all.clear();
}

fn sentence(heard: Duration, all: Duration, elapsed: Duration) -> String {
    let whole = |time: Duration| match time.as_secs() {
        0 => "0 s".to_owned(),
        seconds => show_duration(Duration::from_secs(seconds)),
    };
    let mut text = format!("{} of {} heard", whole(heard), whole(all));
    let speed = heard.as_secs_f64() / elapsed.as_secs_f64().max(0.001);
    if speed > 0.01 {
        let left = all.saturating_sub(heard).div_f64(speed);
        text += &format!(", {speed:.1} x real time, {} left", whole(left));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_much_how_fast_and_how_long() {
        let seconds = Duration::from_secs;
        let halfway = sentence(seconds(300), seconds(600), seconds(30));
        assert_eq!(halfway, "5m of 10m heard, 10.0 x real time, 30.0 s left");
        assert_eq!(sentence(seconds(0), seconds(600), seconds(1)), "0 s of 10m heard");
        assert_eq!(share(seconds(150), seconds(600)), 250);
    }
}
