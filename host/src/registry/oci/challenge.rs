//! `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`: where a registry gives tokens to anybody.
//!
//! Owns: reading the challenge, and the address that asks for a token without credentials.
//! Never: sends anything but what the registry itself named.

/// The address at which a token is asked for; none where the challenge is of another kind.
pub(super) fn token_address(challenge: &str) -> Option<String> {
    let rest = strip_word(challenge.trim(), "bearer")?;
    let mut parameters = parameters(rest);
    let realm = parameters.iter().position(|(name, _)| name == "realm")?;
    let (_, realm) = parameters.remove(realm);
    let query: Vec<_> = parameters
        .iter()
        .filter(|(name, _)| name == "service" || name == "scope")
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let separator = if realm.contains('?') { '&' } else { '?' };
    Some(match query.is_empty() {
        true => realm,
        false => format!("{realm}{separator}{}", query.join("&")),
    })
}

fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (first, rest) = text.split_once(' ')?;
    first.eq_ignore_ascii_case(word).then_some(rest)
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
        let address = |text| token_address(text);
        assert_eq!(
            address(r#"Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull""#).as_deref(),
            Some("https://auth.example/token?service=r&scope=repository%3Aa%2Fb%3Apull")
        );
        assert_eq!(address(r#"bearer realm="x", error="e""#).as_deref(), Some("x"));
        for other in ["", "Bearer", "Basic realm=\"x\"", "Bearer service=\"x\"", "Bearer realm=\"x"]
        {
            assert_eq!(address(other), None, "{other}");
        }
    }
}
