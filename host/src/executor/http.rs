//! From what a guest asks to a request on its attempt's account.
//!
//! Owns: what an attempt may reach and take, on threads; [`line`] does the same for a worker.
//! Never: believes a worker: what it asks is checked here once more, name and address.

mod line;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use pframe_core::hosts::HostPattern;
use pframe_core::job::Grant;
use pframe_core::scheduler::Start;

pub(super) use self::line::HttpLine;
use super::Site;
use crate::capability::http::{HttpService, Outgoing, Sending};
use crate::outside::{Account, Caller, Caps, Reach, Timeouts};

/// How much later than its attempt's deadline a request would end by itself: the attempt takes it along before that, and its
/// fault says why.
const MARGIN: Duration = Duration::from_secs(1);

/// Which hosts a job may ask.
pub(super) fn http_grant(grants: &[Grant]) -> Vec<HostPattern> {
    grants.iter().filter_map(Grant::hosts).cloned().collect()
}

fn caller(site: &Site, start: &Start) -> Caller {
    Caller {
        outside: site.outside.clone(),
        reach: Reach::new(&http_grant(&start.job.grants)),
        account: Arc::new(Account::new(Caps::ATTEMPT)),
    }
}

/// For attempts on threads of this process.
pub(super) struct LocalHttp {
    caller: Caller,
    deadline: Instant,
}

impl LocalHttp {
    /// For an attempt that begins now.
    pub(super) fn new(site: &Site, start: &Start) -> Self {
        let deadline = Instant::now() + start.job.limits.timeout + MARGIN;
        Self { caller: caller(site, start), deadline }
    }

    /// What all its requests took, to be asked at the end.
    pub(super) fn account(&self) -> Arc<Account> {
        Arc::clone(&self.caller.account)
    }
}

impl HttpService for LocalHttp {
    fn send(&mut self, request: http::Request<Outgoing>, timeouts: Timeouts) -> Sending {
        let (caller, deadline) = (self.caller.clone(), self.deadline);
        Box::pin(async move {
            let response = caller.call(request, timeouts, deadline).await?;
            Ok(response.map(BodyExt::boxed_unsync))
        })
    }
}
