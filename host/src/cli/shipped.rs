//! The handlers that ship with the program.
//!
//! Owns: where their components lie: as packages put them, or as `cargo xtask guests` builds them.
//! Never: looks where the caller stands: what runs under a shipped name is what was shipped.

use std::path::{Path, PathBuf};

use pframe_core::ids::TaskName;

use super::failure::Failure;

/// Places beside the program's own folder.
const PLACES: [&str; 3] = ["tasks", "../share/pframe-host/tasks", "../handlers"];

/// The component of a handler that ships.
pub(super) fn shipped(name: &TaskName) -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::Usage(format!("this program cannot be found: {error}")))?;
    let folder = program.parent().unwrap_or(Path::new("/"));
    let file = format!("{}.wasm", name.to_string().replace('-', "_"));
    let places = PLACES.map(|place| folder.join(place));
    let found = places.iter().map(|place| place.join(&file)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let places: Vec<_> = places.iter().map(|place| format!("`{}`", place.display())).collect();
        let places = places.join(", ");
        Failure::Usage(format!("`{file}` is in none of {places}; `cargo xtask guests` builds it"))
    })
}
