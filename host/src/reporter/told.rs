//! Words on stderr.
//!
//! Owns: how a fault looks to a person: what happened, to whom, what to do.
//! Never: fails because stderr is closed.

use std::io::IsTerminal;

use pframe_core::fault::Fault;

/// Says a line.
pub(crate) fn say(line: &str) {
    super::screen::write(format!("{line}\n").as_bytes());
}

/// True where colour is welcome: a terminal, and nobody said `NO_COLOR`.
pub(crate) fn is_colourful() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Tells a fault that happened to `place`.
pub(crate) fn tell_fault(fault: &Fault, place: &str) {
    say(&fault_text(fault, place, is_colourful()));
}

/// A fault in several lines. Colour never carries meaning alone.
pub(crate) fn fault_text(fault: &Fault, place: &str, colourful: bool) -> String {
    let (red, bold, end) =
        if colourful { ("\u{1b}[31;1m", "\u{1b}[1m", "\u{1b}[0m") } else { ("", "", "") };
    let mut lines =
        vec![format!("{red}error[{}]{end}{bold}: {}{end}", fault.code, fault.code.title())];
    if !place.is_empty() {
        lines.push(format!("  {place}"));
    }
    lines.extend(fault.detail.lines().map(|line| format!("  {line}")));
    if let Some(hit) = &fault.hit {
        lines.push(format!("  {} is {}, used {}", hit.limit, hit.value, hit.used));
    }
    if let Some(message) = &fault.guest_message {
        lines.extend(message.as_str().lines().map(|line| format!("  handler: {line}")));
    }
    for (index, frame) in fault.backtrace.iter().enumerate() {
        lines.push(format!("  at {index}: {frame}"));
    }
    if !fault.stderr_tail.is_empty() {
        lines.push("  last words on stderr:".into());
        lines.extend(fault.stderr_tail.iter().map(|line| format!("  | {line}")));
    }
    lines.push(format!("  advice: {}", fault.code.advice()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use pframe_core::fault::Code;

    use super::*;

    #[test]
    fn a_fault_says_what_happened_to_whom_and_what_to_do() {
        let fault = Fault::new(Code::Fuel).hit("limits.fuel", "500M", "at least 500M");
        let expect = expect_test::expect![[r"
            error[PF302]: the handler used all its fuel
              job count-novels, attempt count-novels/3#2
              limits.fuel is 500M, used at least 500M
              advice: raise `limits.fuel`, or cut smaller chunks"]];
        expect.assert_eq(&fault_text(&fault, "job count-novels, attempt count-novels/3#2", false));
    }
}
