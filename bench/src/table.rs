//! The table of results.
//!
//! Owns: how a figure stands beside its aim.

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

/// One figure.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: &'static str,
    /// The figure with its unit.
    pub(crate) figure: String,
    /// What is aimed at.
    pub(crate) aim: &'static str,
}

/// A figure beside its aim.
pub(crate) fn row(what: &'static str, figure: impl Into<String>, aim: &'static str) -> Row {
    Row { what, figure: figure.into(), aim }
}

/// Prints all figures as a Markdown table.
#[expect(clippy::print_stdout, reason = "the table is this program's result")]
pub(crate) fn print(rows: &[Row]) {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["measured", "figure", "aim"]);
    for row in rows {
        table.add_row([row.what, &row.figure, row.aim]);
    }
    println!("{table}");
}
