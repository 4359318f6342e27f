//! What can be written after `pframe-host`.
//!
//! Owns: the commands and their flags; flags of settings come from the configuration's own table.
//! Never: reads a file.

mod tasks;

use std::path::PathBuf;

pub(super) use self::tasks::{
    AddTaskArguments, CompileArguments, InspectArguments, PullArguments, TasksCommand,
};
use crate::recogniser::Family;
use clap::{Arg, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use pframe_core::config::{KNOBS, Knob};

/// Run code you do not trust over data you care about.
///
/// Jobs in, results out: every handler is a WebAssembly component in a sandbox of its own, with
/// fuel, memory and time limits that hold.
#[derive(Debug, Parser)]
#[command(name = "pframe-host", version, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) settings: SettingFlags,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the jobs of a job file; unfinished work of the same file is continued
    Run(RunArguments),
    /// Run one handler on one input, without a job file
    Call(CallArguments),
    /// Go on with work that an earlier run left unfinished
    Resume(ResumeArguments),
    /// Take up again what failed in a run that has ended; what succeeded is not run twice
    Retry(RetryArguments),
    /// Run a chunk that failed once more, alone and as it was
    Replay(ReplayArguments),
    /// Check a job file and everything it names, without running it
    Check(CheckArguments),
    /// Show what a job file comes to: chunks, limits, requirements, grants
    Plan(PlanArguments),
    /// Show runs, or one job, while a host works on them and afterwards
    Status(StatusArguments),
    /// Say why a job waits or how it ended, or what a fault's code means
    Explain(ExplainArguments),
    /// Print what a job's handlers wrote to stdout, stderr and their log
    Logs(LogsArguments),
    /// End a job of the host that runs
    Cancel(CancelArguments),
    /// Remove what has ended and is not to be kept any longer
    Gc(GcArguments),
    /// Begin a handler: a small project in a language of your choice, with a job file beside it
    New(NewArguments),
    /// Look at task types and components, keep them in the store, or compile them ahead
    #[command(subcommand)]
    Tasks(TasksCommand),
    /// Write down what is said in recordings, as text or subtitles
    Transcribe(TranscribeArguments),
    /// Run jobs for the program that starts this one: JSON-RPC 2.0 on stdin and stdout, a message a line
    Serve(ServeArguments),
    /// Look at results that are kept for jobs with `cache: true`, or remove them
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Look at models for speech recognition, or add and remove them
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show what this machine has, and how much of it jobs may use
    Machine(JsonFlag),
    /// Print the JSON Schema of job files
    Schema,
    /// See whether this machine can run code that nobody trusts
    Selftest(SelftestArguments),
    /// Try to get out of the jail; `selftest` starts this by itself
    #[command(hide = true)]
    Probe(ProbeArguments),
    /// Run guests for a host; hosts start this by themselves
    #[command(hide = true)]
    Worker(ChildArguments),
    /// Compile a component for a host; hosts start this by themselves
    #[command(hide = true)]
    Compile(ChildArguments),
    /// Decode a recording for a host; hosts start this by themselves
    #[command(hide = true)]
    Decode(ChildArguments),
    /// Recognise speech for a host; hosts start this by themselves
    #[command(hide = true)]
    Recognise(ChildArguments),
    /// Make private disks for a host; hosts start this by themselves
    #[command(hide = true)]
    Scratch(ChildArguments),
    /// Print the script that completes this program's arguments in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What a host says to the processes that it starts.
/// The languages of `new`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Lang {
    /// A crate with the SDK `pframe-guest`
    Rust,
    /// Built by componentize-py
    Python,
    /// Built by esbuild and componentize-js
    Javascript,
    /// Built by clang and make
    C,
    /// A program that reads stdin and writes stdout, in Rust
    Command,
}

#[derive(Debug, Args)]
pub(super) struct NewArguments {
    /// The folder to make; its last part is the handler's name
    #[arg(value_name = "NAME")]
    pub(super) folder: PathBuf,
    /// The language to write it in
    #[arg(long, value_name = "LANGUAGE")]
    pub(super) lang: Lang,
}

#[derive(Debug, Args)]
pub(super) struct ChildArguments {
    /// Speak with the host through the socket on stdin
    #[arg(long, required = true)]
    pub(super) stdio: bool,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["layers", "hostile"])))]
pub(super) struct SelftestArguments {
    /// Try every layer around worker processes, and what a worker that was taken over could do
    #[arg(long)]
    pub(super) layers: bool,
    /// Let hostile components attack this host, on threads and in worker processes, beside an honest one
    #[arg(long)]
    pub(super) hostile: bool,
    /// Leave out these layers, to see what the others hold by themselves
    #[arg(long, value_delimiter = ',', value_name = "LAYERS", requires = "layers")]
    pub(super) without: Vec<String>,
    /// Attack while guests run, or already while compiled code is loaded, when some layers are still to come
    #[arg(long, value_parser = ["running", "loading"], default_value = "running")]
    pub(super) stage: String,
    /// Answer in JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ProbeArguments {
    /// Speak with the host through the socket on stdin
    #[arg(long, required = true)]
    pub(super) stdio: bool,
    /// Leave out these layers
    #[arg(long, value_delimiter = ',')]
    pub(super) without: Vec<String>,
    /// Try this
    #[arg(long)]
    pub(super) attack: Option<String>,
    /// At this stage of a worker's life
    #[arg(long)]
    pub(super) stage: String,
}

/// Form of the answer.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct JsonFlag {
    /// Answer in JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// How a run is shown.
#[derive(Debug, Clone, Args)]
pub(super) struct ShowFlags {
    /// Write every event as a line of JSON to stdout
    #[arg(long)]
    pub(super) json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Write metrics as Prometheus text to this file
    #[arg(long, value_name = "FILE")]
    pub(super) metrics_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The job file (YAML or JSON); `pframe-host schema` prints its format
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) show: ShowFlags,
    /// Run everything, also what jobs with `cache: true` would take from the cache; its results are kept as the newer ones
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Fall back to `threads` where the configured scheduler does not exist yet
    #[arg(long)]
    pub(super) fallback: bool,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Speak on stdin and stdout; the host ends when stdin does
    #[arg(long, required = true)]
    pub(super) stdio: bool,
    /// What jobs of the tenant `default` may ask for, such as `speech`; besides what the configuration allows
    #[arg(long, value_name = "GRANT")]
    pub(super) allow: Vec<String>,
    /// Fall back to `threads` where the configured scheduler does not exist yet
    #[arg(long)]
    pub(super) fallback: bool,
}

#[derive(Debug, Args)]
pub(super) struct TranscribeArguments {
    /// Recordings (wav, flac, ogg, opus, mp3, m4a, mp4), and directories of them
    #[arg(required = true, value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    /// Where the transcript goes: a file, or a directory for several; without it stdout
    #[arg(long, short, value_name = "OUT")]
    pub(super) output: Option<PathBuf>,
    /// The model; without it `base`, or `pocketsphinx` where there is no `base`; `pframe-host models list` shows all
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// The language, such as `en`; without it the recogniser finds out
    #[arg(long, value_name = "CODE")]
    pub(super) language: Option<String>,
    /// The form: txt, srt, vtt or json; without it as the output's name says, else txt
    #[arg(long, value_parser = ["txt", "srt", "vtt", "json"])]
    pub(super) format: Option<String>,
    /// Windows of speech that are recognised at once; without it one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) num_threads: Option<u32>,
    /// Length of the pieces, such as 10min
    #[arg(long, value_name = "DURATION")]
    pub(super) chunk_size: Option<String>,
    /// Where the model runs
    #[arg(long, value_parser = ["auto", "cpu", "cuda"], default_value = "auto")]
    pub(super) device: String,
    /// Write the time of every word, with `--format json`
    #[arg(long)]
    pub(super) word_times: bool,
    /// Let `pocketsphinx` do the work of a model that is not there, and say so
    #[arg(long)]
    pub(super) fallback: bool,
    #[command(flatten)]
    pub(super) show: ShowFlags,
}

#[cfg(test)]
impl TranscribeArguments {
    /// With nothing said.
    pub(super) fn for_tests() -> Self {
        let show = ShowFlags { json: false, quiet: false, metrics_file: None };
        Self {
            inputs: Vec::new(),
            output: None,
            model: None,
            language: None,
            format: None,
            num_threads: None,
            chunk_size: None,
            device: "auto".into(),
            word_times: false,
            fallback: false,
            show,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// Show how much each tenant holds
    Show(JsonFlag),
    /// Remove all kept results, or those of one tenant
    Clear {
        /// Only those of this tenant
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models
    List(JsonFlag),
    /// Copy a model's file in and give it a name
    Add(AddModelArguments),
    /// Read the files once more, and see that they are what was added
    Verify {
        /// The model; without it all
        name: Option<String>,
    },
    /// Forget a model, and remove its file
    Remove {
        /// The model
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddModelArguments {
    /// By which jobs ask for it, such as `base`
    pub(super) name: String,
    /// Its file
    pub(super) file: PathBuf,
    /// The digest that the file must have
    #[arg(long, value_name = "DIGEST")]
    pub(super) sha256: Option<String>,
    /// The recogniser that loads it
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(Family::ADDABLE), default_value = Family::ADDABLE[0])]
    pub(super) family: String,
}

#[derive(Debug, Args)]
pub(super) struct CallArguments {
    /// The component
    pub(super) component: PathBuf,
    /// The input file; without it the handler gets an empty input, `-` reads stdin
    #[arg(long, value_name = "FILE")]
    pub(super) input: Option<PathBuf>,
    /// The parameters, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(super) parameters: String,
    /// Memory of the attempt, such as 256MiB
    #[arg(long, value_name = "SIZE")]
    pub(super) memory: Option<String>,
    /// Fuel of the attempt, such as 20G
    #[arg(long, value_name = "FUEL")]
    pub(super) fuel: Option<String>,
    /// Time of the attempt, such as 60s
    #[arg(long, value_name = "DURATION")]
    pub(super) timeout: Option<String>,
    /// Run again whenever the component or the input changes
    #[arg(long)]
    pub(super) watch: bool,
    /// Write result and usage as one JSON object to stdout
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// The run to go on with; without it all unfinished runs, oldest first
    pub(super) run: Option<i64>,
    #[command(flatten)]
    pub(super) show: ShowFlags,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The folder of its bundle, below `dead-letters` in the state directory or wherever it was carried
    pub(super) bundle: PathBuf,
    /// Run another component on it, such as one that was mended
    #[arg(long, value_name = "FILE")]
    pub(super) component: Option<PathBuf>,
    /// Write how it ended and what it used as one JSON object to stdout
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RetryArguments {
    /// The run; without it the newest
    pub(super) run: Option<i64>,
    /// Only what failed, and who waited for it; there is no other way yet
    #[arg(long, required = true)]
    pub(super) failed: bool,
    /// Run the chunks of this task type with another component, such as `word-count=fixed.wasm`
    #[arg(long = "with", value_name = "TASK=FILE")]
    pub(super) components: Vec<String>,
    #[command(flatten)]
    pub(super) show: ShowFlags,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The job file; `-` reads stdin
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    /// The job file; `-` reads stdin
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) form: JsonFlag,
}

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// The job; without it the runs are listed
    pub(super) job: Option<String>,
    /// Show the jobs of this run
    #[arg(long, value_name = "N", conflicts_with = "job")]
    pub(super) run: Option<i64>,
    /// List all runs, not only the newest
    #[arg(long, conflicts_with_all = ["job", "run"])]
    pub(super) all: bool,
    /// Answer in JSON: one line for each run, or for the job
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// A job, an attempt such as `job-7/3#2`, or a code such as `PF302`
    pub(super) subject: String,
    #[command(flatten)]
    pub(super) form: JsonFlag,
}

#[derive(Debug, Args)]
pub(super) struct LogsArguments {
    /// A job, or an attempt such as `job-7/3#2`
    pub(super) subject: String,
}

#[derive(Debug, Args)]
pub(super) struct CancelArguments {
    /// The job
    pub(super) job: String,
}

#[derive(Debug, Args)]
pub(super) struct GcArguments {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every value in force, with where it came from
    Show(JsonFlag),
}

/// The configuration file, and one flag for each setting.
#[derive(Debug, Default)]
pub(super) struct SettingFlags {
    pub(super) config: Option<PathBuf>,
    pub(super) given: Vec<(&'static Knob, String)>,
}

const HEADING: &str = "Settings (also in the configuration file and as PFRAME_… variables)";

impl Args for SettingFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help(
                "the configuration file; else pframe.yaml here, then the user's, then the system's",
            )
            .global(true)
            .help_heading(HEADING)
            .value_parser(clap::value_parser!(PathBuf));
        KNOBS.iter().fold(command.arg(config), |command, knob| {
            command.arg(
                Arg::new(knob.path)
                    .long(knob.flag.trim_start_matches("--"))
                    .value_name("VALUE")
                    .help(knob.about)
                    .global(true)
                    .hide_short_help(true)
                    .help_heading(HEADING),
            )
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        self.given = KNOBS
            .iter()
            .filter_map(|knob| Some((knob, matches.get_one::<String>(knob.path)?.clone())))
            .collect();
        Ok(())
    }
}
