//! What can be written after `pframe-host tasks`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::JsonFlag;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TasksCommand {
    /// List the task types of the configuration, of the folder and of the store
    List(JsonFlag),
    /// Show what a component imports, exports and needs, and whether it would run here
    Inspect(InspectArguments),
    /// Compile components into the cache, so that the first job does not wait
    Compile(CompileArguments),
    /// Copy a component into the store, where jobs find it by name and version
    Add(AddTaskArguments),
    /// Fetch a component from an OCI registry into the store
    Pull(PullArguments),
    /// Read what is in the store once more, and see that it is what was added
    Verify {
        /// The task type, such as `word-count` or `word-count@1`; without it all
        name: Option<String>,
    },
    /// Forget a task type of the store, and remove its files
    Remove {
        /// The task type, with its version where there are several, or `oci://…` as it was pulled
        name: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArguments {
    /// The component's file, or a task type by name, `name@version`, `sha256:…` or `oci://…`
    pub(in crate::cli) component: String,
    #[command(flatten)]
    pub(in crate::cli) form: JsonFlag,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompileArguments {
    /// The components' files, or task types
    #[arg(required = true)]
    pub(in crate::cli) components: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PullArguments {
    /// Where it lies, such as `localhost:5000/acme/word-count:1.0.0` or `…@sha256:…`
    pub(in crate::cli) reference: String,
    /// By which jobs ask for it; without it as the repository and the tag are named
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddTaskArguments {
    /// By which jobs ask for it, such as `word-count@1.2.0`
    pub(in crate::cli) name: String,
    /// Its component
    pub(in crate::cli) file: PathBuf,
    /// The digest that the component must have
    #[arg(long, value_name = "DIGEST")]
    pub(in crate::cli) sha256: Option<String>,
    /// Its description, as `task.yaml`: defaults, grants, the schema of its parameters
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) description: Option<PathBuf>,
}
