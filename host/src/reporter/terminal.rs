//! Progress for people: bars on a terminal, a line now and then elsewhere.
//!
//! Owns: when something is drawn, and that nothing is left on the screen at the end.
//! Never: slows the run: records are only folded; a thread of its own draws a few times a second.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pframe_core::event::Record;
use pframe_core::units::Timestamp;

use super::Reporter;
use super::board::{Board, Line};
use super::screen;
use super::table::shortened;
use super::told::say;

/// Time between two drawings.
const DRAWING_INTERVAL: Duration = Duration::from_millis(125);
/// Time between two lines where nobody watches, at least.
const LINE_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// One line; the words are cut where the terminal ends.
const TEMPLATE: &str = "{prefix} [{bar:16}] {wide_msg}";
/// Characters of a job's name at most.
const NAME_WIDTH_MAX: usize = 24;

/// The reporter: it folds what it sees.
pub(crate) struct Terminal(Arc<Mutex<Board>>);

/// The display. Once it is dropped nothing of it is left on the screen.
pub(crate) struct Display {
    quit: Option<Sender<()>>,
    drawer: Option<JoinHandle<()>>,
}

/// Bars where stderr is a terminal; else a line each `interval`.
pub(crate) fn start(interval: Duration) -> (Terminal, Display) {
    let board = Arc::new(Mutex::new(Board::new(now())));
    let (quit, quits) = channel();
    let shared = Arc::clone(&board);
    let draw = move || {
        if screen::is_terminal() {
            draw_bars(&shared, &quits);
        } else {
            write_lines(&shared, &quits, interval.max(LINE_INTERVAL_MIN));
        }
    };
    let drawer = std::thread::Builder::new().name("pframe-progress".into()).spawn(draw).ok();
    (Terminal(board), Display { quit: Some(quit), drawer })
}

impl Reporter for Terminal {
    fn begin(&mut self, history: &[Record]) {
        lock(&self.0).begin(history);
    }

    fn show(&mut self, records: &[Record]) {
        lock(&self.0).apply(records);
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.quit = None;
        if let Some(drawer) = self.drawer.take() {
            let _ = drawer.join();
        }
    }
}

/// Records carry the engine's time, which began as the wall clock's.
fn now() -> Timestamp {
    Timestamp::default().after(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_over(quits: &Receiver<()>, wait: Duration) -> bool {
    quits.recv_timeout(wait) != Err(RecvTimeoutError::Timeout)
}

fn write_lines(board: &Mutex<Board>, quits: &Receiver<()>, interval: Duration) {
    while !is_over(quits, interval) {
        let sentence = lock(board).sentence(now());
        if let Some(sentence) = sentence {
            say(&sentence);
        }
    }
}

fn draw_bars(board: &Mutex<Board>, quits: &Receiver<()>) {
    let mut bars = Bars::new();
    while !is_over(quits, DRAWING_INTERVAL) {
        let lines = lock(board).lines(now());
        bars.draw(&lines);
    }
    bars.clear();
}

/// One bar for each line, reused from drawing to drawing.
struct Bars {
    all: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl Bars {
    fn new() -> Self {
        // This thread alone says when to draw; a rate limit would drop the last picture.
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        screen::share_with(Some(all.clone()));
        Self { all, bars: Vec::new() }
    }

    fn draw(&mut self, lines: &[Line]) {
        while self.bars.len() < lines.len() {
            let bar = ProgressBar::hidden().with_style(style());
            self.bars.push(self.all.add(bar));
        }
        while self.bars.len() > lines.len() {
            if let Some(bar) = self.bars.pop() {
                self.all.remove(&bar);
            }
        }
        let names: Vec<_> =
            lines.iter().map(|line| shortened(&line.name, NAME_WIDTH_MAX)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for ((bar, line), name) in self.bars.iter().zip(lines).zip(names) {
            bar.set_prefix(format!("{name:<width$}"));
            bar.set_length(line.all.max(1));
            bar.set_message(line.words.clone());
            bar.set_position(line.done);
        }
    }

    fn clear(self) {
        screen::share_with(None);
        let _ = self.all.clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template(TEMPLATE).expect("a valid template").progress_chars("=> ")
}
