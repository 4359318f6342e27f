//! `pframe-host cache show` and `pframe-host cache clear`
//!
//! Owns: what people see of results that are kept, and how they get rid of them.
//! Never: touches the results of runs; `gc` removes those.

use std::process::ExitCode;

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::TenantName;
use serde_json::json;

use super::arguments::{CacheCommand, JsonFlag};
use super::check::counted;
use super::failure::Failure;
use super::porch::Porch;
use super::print::print;
use crate::data::cache::{Holding, clear, holdings};
use crate::reporter::amounts::about;
use crate::reporter::table::grid;
use crate::reporter::told::say;

pub(super) fn cache(porch: &Porch, command: &CacheCommand) -> Result<ExitCode, Failure> {
    match command {
        CacheCommand::Show(flag) => show(porch, *flag)?,
        CacheCommand::Clear { tenant } => clear_all(porch, tenant.as_deref())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(porch: &Porch, flag: JsonFlag) -> Result<(), Failure> {
    let holdings = holdings(&porch.state_dir);
    if flag.json {
        let line =
            |it: &Holding| json!({ "tenant": it.tenant, "results": it.results, "bytes": it.bytes });
        let lines: Vec<_> = holdings.iter().map(line).collect();
        return print(&json!({ "cache": lines }).to_string());
    }
    if holdings.is_empty() {
        say("no result is kept; jobs with `cache: true` keep theirs");
        return Ok(());
    }
    let most = porch.config.storage.result_cache_bytes_max;
    let row =
        |it: &Holding| [it.tenant.clone(), it.results.to_string(), about(it.bytes), about(most)];
    print(&grid(&["tenant", "results", "holds", "at most"], holdings.iter().map(row), &[1, 2, 3]))
}

fn clear_all(porch: &Porch, tenant: Option<&str>) -> Result<(), Failure> {
    let parsed = tenant.map(TenantName::new).transpose();
    let tenant = parsed.map_err(|error| Failure::Usage(format!("`--tenant`: {error}")))?;
    let held = holdings(&porch.state_dir);
    let is_meant = |it: &&Holding| tenant.as_ref().is_none_or(|name| name.as_str() == it.tenant);
    let gone: u64 = held.iter().filter(is_meant).map(|it| it.results).sum();
    clear(&porch.state_dir, tenant.as_ref()).map_err(|error| {
        Fault::new(Code::StateUnusable).detail(format!("the cache of results: {error}"))
    })?;
    let gone = counted(usize::try_from(gone).unwrap_or(usize::MAX), "result");
    say(&format!("removed {gone}; what is asked for again runs again"));
    Ok(())
}
