//! TLS to hosts outside.
//!
//! Owns: which certificates are trusted: the machine's own list, and Mozilla's where it has none.
//! Never: takes a certificate that is not for the host that was asked for.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::HttpError;
use super::reach::{Host, Target};

/// How TLS connections begin.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// With what this machine trusts.
    pub(super) fn of_machine() -> Result<Self, HttpError> {
        let mut roots = RootCertStore::empty();
        // Files that cannot be read are as good as not there.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Self::with(roots)
    }

    fn with(roots: RootCertStore) -> Result<Self, HttpError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| HttpError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Speaks TLS over a connection to this target.
    pub(super) async fn connect(
        &self,
        target: &Target,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, HttpError> {
        let name = match &target.host {
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| HttpError::UriInvalid)?
            }
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        self.0.connect(name, stream).await.map_err(|error| reason(&error))
    }
}

fn reason(error: &io::Error) -> HttpError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => HttpError::Certificate,
        Some(_) => HttpError::Tls,
        None => HttpError::Terminated,
    }
}
