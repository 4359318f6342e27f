//! What an unquoted scalar means: the core schema of YAML 1.2 (§10.3.2), which contains JSON's.
//!
//! Owns: telling null, booleans and numbers from text, and reading a number's value.
//! Never: follows YAML 1.1, where `no` is false, `010` is eight and `1:30` is ninety.

use serde_json::Number;

use super::tree::Value;

/// Resolves an unquoted scalar.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        number if is_number(number) => Value::Number(number.into()),
        other => Value::Text(other.to_owned()),
    }
}

/// The value of a number; `None` where it has none in JSON (`.inf`, `.nan`, `1e999`).
pub(super) fn json_number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let decimal = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = decimal.parse::<i64>() {
        return Some(Number::from(whole));
    }
    if let Ok(whole) = decimal.parse::<u64>() {
        return Some(Number::from(whole));
    }
    Number::from_f64(decimal.parse().ok()?)
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return is_all(digits, |byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return is_all(digits, |byte| matches!(byte, b'0'..=b'7'));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    is_mantissa(mantissa)
        && exponent
            .is_none_or(|exponent| is_digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

/// `12`, `12.`, `12.5` or `.5`.
fn is_mantissa(text: &str) -> bool {
    match text.split_once('.') {
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, "")) => is_digits(whole),
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(text),
    }
}

fn is_digits(text: &str) -> bool {
    is_all(text, |byte| byte.is_ascii_digit())
}

fn is_all(text: &str, accept: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j08_norway_octal_and_sexagesimal_are_what_they_look_like() {
        for text in [
            "no",
            "yes",
            "on",
            "off",
            "1:30",
            "12:30:45",
            "0b1",
            "1_000",
            "-",
            "+",
            "1e",
            "e1",
            ".",
            "2024-01-01",
        ] {
            assert_eq!(plain(text), Value::Text(text.into()), "{text}");
        }
        assert_eq!(json_number("010"), Some(Number::from(10)));
    }

    #[test]
    fn numbers_of_the_core_schema_have_their_values() {
        for (text, value) in [
            ("7", 7.0),
            ("-7", -7.0),
            ("+7", 7.0),
            ("0x1F", 31.0),
            ("0o17", 15.0),
            ("1.5", 1.5),
            (".5", 0.5),
            ("2.", 2.0),
            ("1e3", 1000.0),
            ("1.5E-1", 0.15),
        ] {
            assert_eq!(plain(text), Value::Number(text.into()), "{text}");
            assert_eq!(json_number(text).and_then(|number| number.as_f64()), Some(value), "{text}");
        }
        for text in [".inf", "-.inf", ".nan", "1e999"] {
            assert_eq!(plain(text), Value::Number(text.into()), "{text}");
            assert_eq!(json_number(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_64_bits_are_exact() {
        assert_eq!(json_number("18446744073709551615"), Some(Number::from(u64::MAX)));
        assert_eq!(json_number("-9223372036854775808"), Some(Number::from(i64::MIN)));
    }
}
