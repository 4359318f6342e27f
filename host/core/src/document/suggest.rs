//! Small helps for messages: the nearest known word, and text from a file made safe to show.
//!
//! Owns: how near is near enough.
//! Never: changes what a person wrote.

/// The longest word that is compared; a typo is shorter.
const WORD_CHARS_MAX: usize = 40;
/// The longest text that a message quotes.
const SHOWN_CHARS_MAX: usize = 60;

/// The candidate that `word` was most likely meant to be.
pub(crate) fn closest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    if word.is_empty() || word.chars().take(WORD_CHARS_MAX + 1).count() > WORD_CHARS_MAX {
        return None;
    }
    let wanted = folded(word);
    candidates
        .into_iter()
        .filter_map(|candidate| Some((likeness(&wanted, &folded(candidate))?, candidate)))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// Case and the choice between `-` and `_` are not what makes a word another word.
fn folded(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// How near two words are; `None` where they are too far apart to be meant for each other.
///
/// Short words need the count of slips, since likeness alone misleads there.
fn likeness(wanted: &str, candidate: &str) -> Option<f64> {
    let likeness = strsim::jaro_winkler(wanted, candidate);
    let is_one_slip = candidate.len() > 2 && strsim::damerau_levenshtein(wanted, candidate) == 1;
    (likeness > 0.84 || is_one_slip).then_some(likeness)
}

/// Text from a file inside backticks, shortened, with control and invisible characters escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut quoted = String::from("`");
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN_CHARS_MAX {
            quoted.push('…');
            break;
        }
        match character {
            '"' | '\'' | '\\' => quoted.push(character),
            other => quoted.extend(other.escape_debug()),
        }
    }
    quoted.push('`');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_word_and_strangers_find_none() {
        let keys = ["timeout", "task_type", "tenant", "limits", "output", "priority", "id"];
        for (typo, key) in [
            ("timout", "timeout"),
            ("task-type", "task_type"),
            ("taskType", "task_type"),
            ("ouput", "output"),
            ("Priority", "priority"),
        ] {
            assert_eq!(closest(typo, keys), Some(key), "{typo}");
        }
        for stranger in ["", "colour", "x", &"timeout".repeat(100)] {
            assert_eq!(closest(stranger, keys), None, "{stranger}");
        }
    }

    #[test]
    fn j21_shown_text_cannot_steer_a_terminal_and_is_bounded() {
        assert_eq!(shown("it's\u{1b}[31m\u{202e}\n"), "`it's\\u{1b}[31m\\u{202e}\\n`");
        assert!(shown(&"x".repeat(1_000_000)).len() < 100);
        assert_eq!(
            shown("'; DROP TABLE jobs; {} %n <script>"),
            "`'; DROP TABLE jobs; {} %n <script>`"
        );
    }
}
