//! Outgoing HTTP: linked, because languages import it, and denied.
//!
//! Owns: the answer `HTTP-request-denied`. Its limit: 32 KiB of header fields. It charges: a call's fuel.
//! Its escape test: `http_is_denied_with_the_interfaces_own_error` in the tests package.
//! Never: sends; wasmtime-wasi-http is built without its own way to send.

use std::future::Future;

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Counts what it denies.
#[derive(Default)]
pub(crate) struct DeniedHttp {
    pub(crate) calls_denied: u32,
}

type Response = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for DeniedHttp {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Response, Error>> + Send> {
        self.calls_denied = self.calls_denied.saturating_add(1);
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}
