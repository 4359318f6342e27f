//! Who asks a registry, and to whom that is told.
//!
//! Owns: where a login may go: to its registry, and to the token service that this registry names, if that is encrypted or
//! the registry itself; and the words where it does not help.
//! Never: connects, or puts a login into a fault.

use http::Uri;
use pframe_core::fault::{Code, Fault};
use pframe_core::logins::{Known, Login, Logins};
use pframe_core::oci::OciReference;

use super::manifest::shown;

/// Whoever asks one registry for one repository.
pub(super) struct Visitor<'a> {
    known: Known<'a>,
    logins: &'a Logins,
    registry: String,
    scope: String,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(reference: &OciReference, logins: &'a Logins) -> Self {
        let scope = format!("repository:{}:pull", reference.repository());
        Self { known: logins.of(reference), logins, registry: reference.registry(), scope }
    }

    /// The login for this registry.
    pub(super) fn login(&self) -> Option<&'a Login> {
        match self.known {
            Known::Login(login, _) => Some(login),
            Known::Helper(..) | Known::Nothing => None,
        }
    }

    /// What a token is good for that was given for a login: to read this repository, whatever the registry asks for.
    pub(super) fn scope(&self) -> String {
        self.scope.clone()
    }

    /// Why the registry, or its token service, said no.
    pub(super) fn denied(&self) -> Fault {
        let (registry, places) = (shown(&self.registry), self.logins.places());
        let detail = match self.known {
            Known::Login(Login::Password { .. }, place) => {
                format!("it does not let the login for {registry} in `{place}` read that")
            }
            Known::Login(Login::Identity(_), place) => {
                format!("it does not let the identity token for {registry} in `{place}` read that")
            }
            Known::Helper(name, place) => format!(
                "it wants a login; `{place}` leaves the one for {registry} to the helper `docker-credential-{}`, and no helper is run: the file must have it under `auths`",
                shown(name).trim_matches('`')
            ),
            Known::Nothing => {
                format!("it wants a login, and there is none for {registry} in {places}")
            }
        };
        Fault::new(Code::RegistryDenied).detail(detail)
    }
}

/// Refuses a token service that a login would reach in clear text, unless it is the very registry, which is then on this machine.
///
/// Any encrypted one is taken: a registry that is told a login could pass it on itself, so its choice of another host gives
/// nobody more. Registries in wide use do name another.
pub(super) fn check_realm(realm: &Uri, registry: &Uri) -> Result<(), Fault> {
    if realm.scheme_str() == Some("https") || realm.authority() == registry.authority() {
        return Ok(());
    }
    let realm = shown(&realm.to_string());
    let what = format!("it wants the login sent without encryption, to {realm}");
    Err(Fault::new(Code::PullRefused).detail(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_goes_to_an_encrypted_token_service_or_back_to_its_registry() {
        let goes = |realm: &str, registry: &str| {
            check_realm(&realm.parse().unwrap(), &registry.parse().unwrap()).is_ok()
        };
        let (outside, here) = ("https://a.example/v2/x", "http://localhost:5000/v2/x");
        assert!(goes("https://a.example/token", outside));
        assert!(goes("https://auth.example/token", outside));
        assert!(goes("http://localhost:5000/token", here));
        assert!(goes("https://auth.example/token", here));
        assert!(!goes("http://localhost:5001/token", here));
        assert!(!goes("http://127.0.0.1:5000/token", here));
        assert!(!goes("http://auth.example/token", outside));
    }
}
