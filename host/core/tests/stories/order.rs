//! What goes first, and what a job consists of.

use super::*;

#[test]
fn chunks_fill_the_cores_and_are_collected() {
    check(
        Story::on(2).job(0, "a", 5, plain),
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ━━✓
            a/2#1       ··━━✓
            a/3#1       ··━━✓
            a/4#1       ····━━✓
            a/collect#1 ······━━✓
            8 s   a completed
        "#]],
    );
}

#[test]
fn one_chunk_needs_no_collecting_unless_the_handler_collects() {
    let story = Story::on(2).job(0, "plain", 1, plain);
    let story = story.job(0, "keen", 1, |job| job.task.collects = true);
    check(
        story,
        &expect![[r#"
            plain/0#1      ━━✓
            keen/0#1       ━━✓
            keen/collect#1 ··━━✓
            2 s   plain completed
            4 s   keen completed
        "#]],
    );
}

#[test]
fn a_job_without_chunks_completes_unless_the_handler_collects() {
    let story = Story::on(2).job(0, "plain", 0, plain);
    let story = story.job(0, "keen", 0, |job| job.task.collects = true);
    check(
        story,
        &expect![[r#"
            keen/collect#1 ━━✓
            0 s   plain completed
            2 s   keen completed
        "#]],
    );
}

#[test]
fn a_handler_that_cuts_goes_first() {
    check(
        Story::on(2).uncut_job(0, "a"),
        &expect![[r#"
            a/cut#1     ━━✓
            a/0#1       ··━━✓
            a/1#1       ··━━✓
            a/collect#1 ····━━✓
            6 s   a completed
        "#]],
    );
}

#[test]
fn higher_priority_goes_first_but_waiting_counts() {
    let story = Story::on(1)
        .with(|settings| settings.age_interval = Duration::from_secs(3))
        .job(0, "first", 1, plain)
        .job(0, "low", 1, plain)
        .job(1, "high", 1, |job| job.priority = 1)
        .job(5, "late", 1, |job| job.priority = 1)
        .lasts("first", 6);
    check(
        story,
        &expect![[r#"
            first/0#1 ━━━━━━✓
            high/0#1   ·····━━✓
            low/0#1   ········━━✓
            late/0#1       ·····━━✓
            6 s   first completed
            8 s   high completed
            10 s  low completed
            12 s  late completed
        "#]],
    );
}

#[test]
fn a_tenant_of_double_weight_gets_double() {
    let heavy = TenantSettings { weight: 2, ..TenantSettings::default() };
    let story = Story::on(1)
        .with(tenant("heavy", heavy))
        .job(0, "warm", 1, plain)
        .job(0, "h", 6, of_tenant("heavy"))
        .job(0, "l", 4, of_tenant("light"));
    check(
        story,
        &expect![[r#"
            warm/0#1    ━━✓
            h/0#1       ··━━✓
            l/0#1       ····━━✓
            h/1#1       ······━━✓
            h/2#1       ········━━✓
            l/1#1       ··········━━✓
            h/3#1       ············━━✓
            h/4#1       ··············━━✓
            l/2#1       ················━━✓
            h/5#1       ··················━━✓
            h/collect#1 ····················━━✓
            l/3#1       ······················━━✓
            l/collect#1 ························━━✓
            2 s   warm completed
            22 s  h completed
            26 s  l completed
        "#]],
    );
}

#[test]
fn an_idle_tenant_saves_up_no_credit() {
    let story = Story::on(1)
        .job(0, "early", 6, of_tenant("busy"))
        .job(8, "x", 3, of_tenant("idle"))
        .job(8, "y", 3, of_tenant("busy"));
    check(
        story,
        &expect![[r#"
            early/0#1       ━━✓
            early/1#1       ··━━✓
            early/2#1       ····━━✓
            early/3#1       ······━━✓
            x/0#1                   ━━✓
            early/4#1       ··········━━✓
            x/1#1                   ····━━✓
            early/5#1       ··············━━✓
            x/2#1                   ········━━✓
            early/collect#1 ··················━━✓
            x/collect#1             ············━━✓
            y/0#1                   ··············━━✓
            y/1#1                   ················━━✓
            y/2#1                   ··················━━✓
            y/collect#1             ····················━━✓
            20 s  early completed
            22 s  x completed
            30 s  y completed
        "#]],
    );
}
