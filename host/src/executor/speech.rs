//! From what a guest asks to a call of the inference service.
//!
//! Owns: what a call may cost the attempt, and that all of it is charged, however the call ends.
//! Never: believes a worker: what it asks is checked here once more.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault, Origin};
use pframe_core::ids::TenantName;
use pframe_core::job::{Grant, Source};
use pframe_core::limits::SpeechUsage;
use pframe_core::scheduler::{Outcome, Start, Work};
use pframe_speech::{Loudness, Span};
use tokio::sync::oneshot;

use super::Site;
use crate::capability::speech::{
    Answer, Asked, KnownModel, Question, Sound, SpeechAccount, SpeechError, SpeechGrant,
    SpeechService,
};
use crate::data::source::{Bytes, Stores};
use crate::inference::{Inference, Request, Waiting};
use crate::outside::Patience;
use crate::recogniser::Options;
use crate::recording::Recordings;

/// Which models a job may use.
pub(super) fn speech_grant(grants: &[Grant]) -> SpeechGrant {
    if grants.contains(&Grant::Speech) {
        return SpeechGrant::Any;
    }
    let names: Vec<_> = grants.iter().filter_map(Grant::model).map(str::to_owned).collect();
    if names.is_empty() { SpeechGrant::Denied } else { SpeechGrant::Only(names) }
}

/// What follows from an attempt that found no room for its speech, and asked for another try with this fault.
pub(super) fn put_off(fault: &Fault, after: Duration) -> Outcome {
    let said = fault.guest_message.as_ref().map(ToString::to_string).unwrap_or_default();
    Outcome::PutOff { fault: Fault::new(Code::Busy).detail(said), after }
}

/// Asks for an attempt.
pub(super) struct Caller {
    inference: Arc<Inference>,
    recordings: Arc<Recordings>,
    stores: Stores,
    tenant: TenantName,
    grant: SpeechGrant,
    /// The recording that its chunk is cut from.
    source: Option<(Arc<[Source]>, usize)>,
    timeout: Duration,
    deadline: Instant,
    cpu_max: Option<Duration>,
    /// What all its calls took.
    pub(super) account: SpeechAccount,
}

impl Caller {
    /// For an attempt that begins now.
    pub(super) fn new(site: &Site, start: &Start) -> Self {
        let source = match &start.work {
            Work::Run { slice, .. } => Some((start.job.inputs.clone(), slice.source as usize)),
            Work::Cut | Work::Collect { .. } => None,
        };
        Self {
            inference: Arc::clone(&site.inference),
            recordings: Arc::clone(&site.recordings),
            stores: site.stores_until(&start.job, Patience::of(start.job.limits.timeout)),
            tenant: start.job.tenant.clone(),
            grant: speech_grant(&start.job.grants),
            source,
            timeout: start.job.limits.timeout,
            deadline: Instant::now() + start.job.limits.timeout,
            cpu_max: start.job.limits.cpu,
            account: SpeechAccount::default(),
        }
    }

    /// All models of the host.
    pub(super) fn models(&self) -> Result<Vec<KnownModel>, SpeechError> {
        if self.grant == SpeechGrant::Denied {
            return Err(SpeechError::Denied);
        }
        let models = self.inference.models().list();
        let models = models.map_err(|fault| SpeechError::EngineFailed(fault.to_string()))?;
        let known = models.into_iter().map(|model| KnownModel {
            name: model.name,
            family: model.family.name().to_owned(),
            languages: model.languages,
        });
        Ok(known.collect())
    }

    /// Begins a call; `tell` hears its end.
    pub(super) fn call(
        &self,
        question: Question,
        tell: impl FnOnce(Result<Answer, SpeechError>) + Send + 'static,
    ) -> Result<Charged, SpeechError> {
        self.grant.check(&question.model)?;
        question.check()?;
        if question.needs_gpu {
            return Err(SpeechError::DeviceUnavailable(
                "this build recognises on the processor only".into(),
            ));
        }
        let model = self.inference.models().find(&question.model);
        let model = model.map_err(|fault| match fault.code {
            Code::ModelMissing => SpeechError::ModelNotFound(fault.detail),
            _ => SpeechError::EngineFailed(fault.to_string()),
        })?;
        let (bytes, loudness, span) = self.sound(question.sound)?;
        let asked = question.deadline.and_then(|within| Instant::now().checked_add(within));
        let deadline = self.deadline.min(asked.unwrap_or(self.deadline));
        let request = Request {
            tenant: self.tenant.clone(),
            model,
            options: Options {
                language: question.language,
                prompt: question.prompt,
                beam: question.beam,
                temperature: question.temperature,
            },
            bytes,
            loudness,
            span,
            deadline,
            cpu_max: self.cpu_max.map(|most| most.saturating_sub(self.account.total().cpu)),
        };
        let call = self.inference.call(request, |call, ended| {
            tell(ended.map(|transcript| Answer { transcript, usage: call.usage() }));
        });
        self.account.note_wait(match &call {
            Err(SpeechError::Busy(wait)) => Some(*wait),
            Ok(_) | Err(_) => None,
        });
        let call = call?;
        Ok(Charged { call, deadline, account: self.account.clone() })
    }

    fn sound(&self, sound: Sound) -> Result<(Bytes, Arc<Loudness>, Span), SpeechError> {
        let outside = || SpeechError::InvalidAudio("the span lies outside of the audio".into());
        let (bytes, loudness, span) = match sound {
            Sound::Own(samples) => {
                let loudness = Loudness::of(&pframe_speech::samples(&samples));
                let span = Span::new(0, loudness.duration_ms());
                (Bytes::Inline(samples.into()), Arc::new(loudness), span)
            }
            Sound::Recording(span) => {
                let (sources, index) = self.source.as_ref().ok_or_else(outside)?;
                let recording = self.recordings.open(sources, *index, &self.stores);
                let recording = recording.map_err(|fault| match fault.code.origin() {
                    Origin::Job => SpeechError::InvalidAudio(fault.to_string()),
                    _ => SpeechError::EngineFailed(fault.to_string()),
                })?;
                (recording.bytes(), Arc::clone(recording.loudness()), span)
            }
        };
        let is_inside = span.end_ms <= loudness.duration_ms();
        if is_inside { Ok((bytes, loudness, span)) } else { Err(outside()) }
    }
}

/// A call that somebody waits for. When it falls, it is cancelled, and the attempt is charged.
pub(super) struct Charged {
    call: Waiting,
    deadline: Instant,
    account: SpeechAccount,
}

impl Charged {
    /// Ends it; whoever waits hears so.
    pub(super) fn cancel(&self) {
        self.call.cancel(SpeechError::Cancelled);
    }

    /// The same where it is late: while it waits, or its model is loaded, nobody else looks at the clock.
    fn end_if_late(&self) {
        if self.deadline <= Instant::now() {
            self.call.cancel(SpeechError::Deadline);
        }
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        let SpeechUsage { audio, cpu } = self.call.usage();
        self.account.add(SpeechUsage { audio, cpu });
    }
}

/// For an attempt in a worker process: at most one call at a time, whose end the driver hears in its own time.
pub(super) struct SpeechLine {
    caller: Caller,
    call: Option<Charged>,
    told: (mpsc::Sender<Told>, mpsc::Receiver<Told>),
}

type Told = Result<Answer, SpeechError>;

impl SpeechLine {
    pub(super) fn new(site: &Site, start: &Start) -> Self {
        Self { caller: Caller::new(site, start), call: None, told: mpsc::channel() }
    }

    /// All models of the host.
    pub(super) fn models(&self) -> Result<Vec<KnownModel>, SpeechError> {
        self.caller.models()
    }

    /// True while a call is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.call.is_some()
    }

    /// Begins a call for an attempt that began then; `ring` is called when its end can be heard.
    pub(super) fn ask(
        &mut self,
        question: Question,
        began: Instant,
        ring: impl FnOnce() + Send + 'static,
    ) {
        // Others of its batch may have run since it was sent.
        self.caller.deadline = began + self.caller.timeout;
        let tell = self.told.0.clone();
        let called = self.caller.call(question, move |answer| {
            let _ = tell.send(answer);
            ring();
        });
        match called {
            Ok(call) => self.call = Some(call),
            Err(error) => drop(self.told.0.send(Err(error))),
        }
    }

    /// How the call ended, once it has.
    pub(super) fn answer(&mut self) -> Option<Told> {
        self.call.iter().for_each(Charged::end_if_late);
        let told = self.told.1.try_recv().ok()?;
        self.call = None;
        Some(told)
    }

    /// Ends the call that is under way; its end is heard like any other.
    pub(super) fn cancel(&self) {
        if let Some(call) = &self.call {
            call.cancel();
        }
    }

    /// What follows where the attempt ended with this fault, if it only came at a bad moment.
    pub(super) fn put_off(&self, fault: &Fault) -> Option<Outcome> {
        self.caller.account.put_off(fault).map(|after| put_off(fault, after))
    }

    /// What all calls took.
    pub(super) fn total(&mut self) -> SpeechUsage {
        self.call = None;
        self.caller.account.total()
    }
}

/// For attempts on threads of this process.
pub(super) struct LocalSpeech(pub(super) Caller);

impl SpeechService for LocalSpeech {
    fn models(&mut self) -> Result<Vec<KnownModel>, SpeechError> {
        self.0.models()
    }

    fn transcribe(&mut self, question: Question) -> Asked<'_> {
        Box::pin(async move {
            let (tell, mut told) = oneshot::channel();
            // Nobody may wait any more.
            let call = self.0.call(question, |answer| drop(tell.send(answer)))?;
            let late = tokio::time::sleep_until(call.deadline.into());
            let answer = tokio::select! {
                answer = &mut told => answer,
                () = late => {
                    call.end_if_late();
                    told.await
                }
            };
            answer.unwrap_or(Err(SpeechError::Cancelled))
        })
    }
}
