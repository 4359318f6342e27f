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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// What becomes of a connection to this host, whose server has a certificate for `a.org` and `127.0.0.1`.
    fn connect(url: &str, is_trusted: bool) -> Result<(), HttpError> {
        let names = ["a.org".to_owned(), "127.0.0.1".to_owned()];
        let own = rcgen::generate_simple_self_signed(names).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.unwrap())
        .unwrap();
        let mut roots = RootCertStore::empty();
        if is_trusted {
            roots.add(own.cert.der().clone()).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                // The other end may not like what it sees.
                let _ = TlsAcceptor::from(Arc::new(config)).accept(stream).await;
            });
            let stream = TcpStream::connect(address).await.unwrap();
            let target = Target::of(&url.parse().unwrap()).unwrap();
            let connected = Tls::with(roots).unwrap().connect(&target, stream).await;
            server.await.unwrap();
            connected.map(drop)
        })
    }

    #[test]
    fn a_certificate_is_trusted_and_for_the_host_that_was_asked_for() {
        assert_eq!(connect("https://a.org/", true), Ok(()));
        assert_eq!(connect("https://127.0.0.1/", true), Ok(()));
        assert_eq!(connect("https://b.org/", true), Err(HttpError::Certificate));
        assert_eq!(connect("https://a.org/", false), Err(HttpError::Certificate));
        assert!(Tls::of_machine().is_ok(), "there is always somebody to trust");
    }
}
