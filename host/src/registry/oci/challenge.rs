//! `WWW-Authenticate`: whether a registry wants a name and a password, or names a service that gives tokens.
//!
//! Owns: reading the challenge, and the address that asks for a token.
//! Never: holds a login.

/// What a registry wants of whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token of this service.
    Bearer(Realm),
}

/// A service that gives tokens, as a registry names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Realm {
    /// Its address.
    pub(super) address: String,
    /// What the service calls the registry.
    pub(super) service: Option<String>,
    /// What the token is for, in the registry's words.
    pub(super) scope: Option<String>,
}

impl Challenge {
    /// Reads one header; none where it asks for something else.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let find = |name| parameters.iter().find(|(found, _)| found == name);
        let find = |name| find(name).map(|(_, value)| value.clone());
        let (service, scope) = (find("service"), find("scope"));
        Some(Self::Bearer(Realm { address: find("realm")?, service, scope }))
    }
}

impl Realm {
    /// What is asked for in the form of a query: the service, the scope, and these fields.
    pub(super) fn form(&self, more: &[(&str, &str)]) -> String {
        let service = self.service.iter().map(|service| ("service", &**service));
        let fields = service.chain(self.scope.iter().map(|scope| ("scope", &**scope)));
        let fields = fields.chain(more.iter().copied());
        fields
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect::<Vec<_>>()
            .join("&")
    }

    /// The address at which a token is asked for with a GET.
    pub(super) fn token_address(&self) -> String {
        let (address, form) = (&self.address, self.form(&[]));
        let separator = if address.contains('?') { '&' } else { '?' };
        match form.is_empty() {
            true => address.clone(),
            false => format!("{address}{separator}{form}"),
        }
    }
}

/// Pairs of a name and a value in quotes.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some((name, behind)) = rest.split_once("=\"") {
        let Some((value, behind)) = behind.split_once('"') else { break };
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        pairs.push((name, value.to_owned()));
        rest = behind;
    }
    pairs
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_where_to_ask_and_for_what() {
        let address = |text| match Challenge::parse(text) {
            Some(Challenge::Bearer(realm)) => Some(realm.token_address()),
            Some(Challenge::Basic) | None => None,
        };
        assert_eq!(
            address(r#"Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull""#).as_deref(),
            Some("https://auth.example/token?service=r&scope=repository%3Aa%2Fb%3Apull")
        );
        assert_eq!(address(r#"bearer realm="x", error="e""#).as_deref(), Some("x"));
        for other in ["", "Bearer", "Basic realm=\"x\"", "Bearer service=\"x\"", "Bearer realm=\"x"]
        {
            assert_eq!(address(other), None, "{other}");
        }
        for basic in ["Basic", "basic realm=\"x\"", " BASIC realm=\"Bearer realm=x\""] {
            assert_eq!(Challenge::parse(basic), Some(Challenge::Basic), "{basic}");
        }
    }

    #[test]
    fn what_goes_into_a_form_cannot_leave_its_field() {
        let realm = Realm { address: "x".into(), service: Some("a&b=c".into()), scope: None };
        assert_eq!(
            realm.form(&[("refresh_token", "t+/=")]),
            "service=a%26b%3Dc&refresh_token=t%2B%2F%3D"
        );
    }
}
