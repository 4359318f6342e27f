//! The version of a file's format: `version: 1`.
//!
//! Owns: what is said where it is missing, later than this host reads, or no version at all.
//! Never: reads another key; what the keys of a later version mean is not known.

use super::checker::{Checker, Fields};
use super::suggest::shown;

impl Checker<'_> {
    /// False where the file is of a later version than `version`, of which nothing else can be said. `advice` is for a
    /// value that is no version.
    pub(crate) fn is_readable_version(
        &mut self,
        fields: Fields<'_>,
        version: i64,
        advice: &str,
    ) -> bool {
        let Some(node) = fields.get("version") else {
            let advice = format!("begin the file with `version: {version}`");
            self.problem(fields.place(), "`version` is missing", advice);
            return true;
        };
        self.at("version", |checker| match node.as_whole() {
            Some(stated) if stated == version => true,
            Some(newer) if newer > version => {
                let message = format!("version {newer} is newer than this host reads");
                let advice = format!("use a newer pframe-host, or write `version: {version}`");
                checker.problem(node.place, message, advice);
                false
            }
            _ => {
                let found = node.as_written().map_or_else(|| node.kind().to_owned(), shown);
                let message = format!("expected the number {version}, found {found}");
                checker.problem(node.place, message, advice);
                true
            }
        })
    }
}
