//! What a guest finds behind an interface that it imports, in words.
//!
//! Owns: the answer to "what of this stays denied?", before anything runs.
//! Never: grants; it repeats what the other files here do.

use pframe_core::job::Grant;

/// What stands behind a known interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It does what its name says.
    Open,
    /// It answers harmlessly.
    StandIn(&'static str),
    /// Its calls fail with the interface's own error.
    Denied(&'static str),
}

/// What stands behind the known interface `name` for whoever has these grants, and a private disk or none.
pub(crate) fn offer(name: &str, grants: &[Grant], has_disk: bool) -> Offer {
    let interface = name.split('@').next().unwrap_or(name);
    let package = interface.split('/').next().unwrap_or(interface);
    let has_variable = grants.iter().any(|grant| matches!(grant, Grant::Env(_)));
    let writes = grants.iter().any(|grant| matches!(grant, Grant::Write(_)));
    let has_directory = grants.iter().any(|grant| matches!(grant, Grant::Directory(_)));
    let has_speech = grants.iter().any(|it| matches!(it, Grant::Speech | Grant::Model(_)));
    let has_host = grants.iter().any(|it| matches!(it, Grant::Http(_)));
    let has_store = grants.iter().any(|it| matches!(it, Grant::KeyValue(_)));
    match package {
        "pframe:audio" if !has_speech => Offer::Denied("no recognition of speech"),
        "wasi:keyvalue" if !has_store => Offer::Denied("no key-value store"),
        "wasi:sockets" => Offer::Denied("no network"),
        "wasi:http" if has_host => Offer::StandIn("requests to the hosts that were granted"),
        "wasi:http" => Offer::Denied("no requests"),
        "wasi:filesystem" if writes && has_directory => Offer::StandIn(
            "a private /scratch, directories below /out whose files the host puts where `write` leads, the directories granted by `dir` to read, and nothing else",
        ),
        "wasi:filesystem" if writes => Offer::StandIn(
            "a private /scratch, directories below /out whose files the host puts where `write` leads, and nothing else",
        ),
        "wasi:filesystem" if has_disk && has_directory => Offer::StandIn(
            "a private /scratch, the directories granted by `dir` to read, and nothing else",
        ),
        "wasi:filesystem" if has_disk => Offer::StandIn("a private /scratch and nothing else"),
        "wasi:filesystem" if has_directory => {
            Offer::StandIn("the directories granted by `dir` to read, and nothing else")
        }
        "wasi:filesystem" => Offer::Denied("no directory"),
        "wasi:clocks" if !grants.contains(&Grant::Clock) => {
            Offer::StandIn("the time is the job's acceptance, clocks count in steps of 1 ms")
        }
        "wasi:random" if !grants.contains(&Grant::Random) => {
            Offer::StandIn("random bytes are seeded by the chunk, not for secrets")
        }
        _ if interface == "wasi:cli/environment" && !has_variable => {
            Offer::StandIn("no variables, no arguments")
        }
        _ => Offer::Open,
    }
}

/// The grant that opens an interface, in the words of a job file; none for what is open anyway, or cannot be had.
pub(crate) fn opened_by(name: &str) -> Option<&'static str> {
    let interface = name.split('@').next().unwrap_or(name);
    match interface.split('/').next().unwrap_or(interface) {
        "pframe:audio" => Some("speech"),
        "wasi:clocks" => Some("clock"),
        "wasi:keyvalue" => Some("keyvalue: NAME"),
        "wasi:random" => Some("random"),
        _ if interface == "wasi:cli/environment" => Some("env: NAME"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::super::KNOWN_INTERFACES;
    use super::*;

    #[test]
    fn every_interface_that_leads_outside_stays_denied_or_has_a_stand_in() {
        let mut text = String::new();
        for known in KNOWN_INTERFACES {
            if offer(known.name, &[], false) != Offer::Open {
                writeln!(text, "{}: {:?}", known.name, offer(known.name, &[], false)).unwrap();
            }
        }
        let expect = expect_test::expect![[r#"
            pframe:audio/speech: Denied("no recognition of speech")
            wasi:cli/environment: StandIn("no variables, no arguments")
            wasi:clocks/monotonic-clock: StandIn("the time is the job's acceptance, clocks count in steps of 1 ms")
            wasi:clocks/wall-clock: StandIn("the time is the job's acceptance, clocks count in steps of 1 ms")
            wasi:filesystem/preopens: Denied("no directory")
            wasi:filesystem/types: Denied("no directory")
            wasi:http/outgoing-handler: Denied("no requests")
            wasi:http/types: Denied("no requests")
            wasi:random/insecure: StandIn("random bytes are seeded by the chunk, not for secrets")
            wasi:random/insecure-seed: StandIn("random bytes are seeded by the chunk, not for secrets")
            wasi:random/random: StandIn("random bytes are seeded by the chunk, not for secrets")
            wasi:sockets/instance-network: Denied("no network")
            wasi:sockets/ip-name-lookup: Denied("no network")
            wasi:sockets/network: Denied("no network")
            wasi:sockets/tcp: Denied("no network")
            wasi:sockets/tcp-create-socket: Denied("no network")
            wasi:sockets/udp: Denied("no network")
            wasi:sockets/udp-create-socket: Denied("no network")
            wasi:keyvalue/atomics: Denied("no key-value store")
            wasi:keyvalue/batch: Denied("no key-value store")
            wasi:keyvalue/store: Denied("no key-value store")
        "#]];
        expect.assert_eq(&text);
    }

    #[test]
    fn the_grant_that_is_named_opens_the_interface() {
        for known in KNOWN_INTERFACES {
            let name = known.name;
            let all = ["clock", "random", "speech", "env: X", "keyvalue: x"];
            let opens = |grants: &[&str]| {
                let grants: Vec<Grant> = grants.iter().map(|it| it.parse().unwrap()).collect();
                offer(name, &grants, false) != offer(name, &[], false)
            };
            assert_eq!(opens(&all), opened_by(name).is_some(), "{name}");
            assert!(opened_by(name).is_none_or(|grant| opens(&[grant])), "{name}");
        }
    }

    #[test]
    fn a_grant_opens_its_own_interface_and_no_other() {
        let grants = [Grant::Clock];
        assert_eq!(offer("wasi:clocks/wall-clock@0.2.6", &grants, false), Offer::Open);
        assert_ne!(offer("wasi:random/random@0.2.6", &grants, false), Offer::Open);
        let files = "wasi:filesystem/types@0.2.6";
        assert!(matches!(offer(files, &[], true), Offer::StandIn(_)));
        let directory = [Grant::Directory("corpus".into())];
        assert!(matches!(offer(files, &directory, false), Offer::StandIn(_)));
        let write = [Grant::Write("results".into())];
        assert_ne!(offer(files, &write, true), offer(files, &[], true));
        let http = "wasi:http/outgoing-handler@0.2.6";
        assert!(matches!(offer(http, &grants, false), Offer::Denied(_)));
        let hosts = [Grant::Http("api.example.org".parse().unwrap())];
        assert!(matches!(offer(http, &hosts, false), Offer::StandIn(_)));
        assert!(matches!(offer("wasi:sockets/tcp@0.2.6", &hosts, false), Offer::Denied(_)));
    }
}
