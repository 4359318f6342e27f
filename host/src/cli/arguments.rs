//! What can be written after `pframe-host`.
//!
//! Owns: the commands and their flags; flags of settings come from the configuration's own table.
//! Never: reads a file.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, FromArgMatches, Parser, Subcommand};
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
    /// Fall back to `threads` where the configured scheduler does not exist yet
    #[arg(long)]
    pub(super) fallback: bool,
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
            .help("the configuration file; else pframe.yaml here, then the user's, then the system's")
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
