//! Jobs that wait for others.

use super::*;

#[test]
fn a_job_starts_when_all_that_it_depends_on_have_completed() {
    let story = Story::on(2)
        .job(0, "a", 2, awaited(1))
        .job(0, "b", 1, awaited(1))
        .job(0, "c", 1, after(&["a", "b"]))
        .lasts("b", 6)
        .explain(1, "c")
        .explain(5, "c");
    check(
        story,
        &expect![[r#"
        a/0#1       ━━✓
        a/1#1       ━━✓
        a/collect#1 ··━━✓
        b/0#1       ··━━━━━━✓
        c/0#1       ········━━✓
        1 s   c waiting: after a (running) and b (queued)
        4 s   a completed
        5 s   c waiting: after b (running)
        8 s   b completed
        10 s  c completed
    "#]],
    );
}

#[test]
fn the_result_of_another_job_is_cut_once_it_is_there() {
    let story = Story::on(2).job(0, "a", 1, awaited(2));
    let story = story.uncut(0, "b", on_results_of(&["a"])).uncut(0, "c", on_results_of(&["a"]));
    check(
        story,
        &expect![[r#"
        a/0#1       ━━✓
        b/cut#1     ··━━✓
        c/cut#1     ··━━✓
        b/0#1       ····━━✓
        b/1#1       ····━━✓
        b/collect#1 ······━━✓
        c/0#1       ······━━✓
        c/1#1       ········━━✓
        c/collect#1 ··········━━✓
        2 s   a completed
        8 s   b completed
        12 s  c completed
    "#]],
    );
}

#[test]
fn who_depends_on_a_job_that_failed_is_cancelled_and_so_is_who_depends_on_that() {
    let story = Story::on(2)
        .job(0, "a", 1, awaited(2))
        .job(0, "b", 1, |job| {
            after(&["a"])(job);
            awaited(1)(job);
        })
        .job(0, "c", 1, after(&["b"]))
        .job(0, "d", 1, after(&["a"]))
        .job(0, "free", 1, plain)
        .fails("a/0#1", Code::Trap);
    check(
        story,
        &expect![[r#"
        a/0#1    ━━✘
        free/0#1 ━━✓
        2 s   a failed, PF301 the handler trapped
        2 s   free completed
        2 s   b cancelled, PF604
        2 s   c cancelled, PF604
        2 s   d cancelled, PF604
    "#]],
    );
}

#[test]
fn who_depends_on_a_cancelled_job_is_cancelled() {
    let story = Story::on(1).job(0, "a", 1, awaited(1)).job(0, "b", 1, after(&["a"]));
    check(
        story.cancel(1, "a"),
        &expect![[r#"
        a/0#1 ━━✘
        1 s   a is stopped, PF601
        2 s   a cancelled, PF601
        2 s   b cancelled, PF604
    "#]],
    );
}

#[test]
fn a_job_that_is_accepted_after_what_it_depends_on_has_ended_does_not_wait() {
    let story = Story::on(2)
        .job(0, "good", 1, awaited(1))
        .job(0, "bad", 1, awaited(1))
        .fails("bad/0#1", Code::Trap)
        .uncut(3, "glad", on_results_of(&["good"]))
        .job(3, "sad", 1, after(&["bad"]));
    check(
        story,
        &expect![[r#"
        good/0#1       ━━✓
        bad/0#1        ━━✘
        glad/cut#1        ━━✓
        glad/0#1          ··━━✓
        glad/1#1          ··━━✓
        glad/collect#1    ····━━✓
        2 s   good completed
        2 s   bad failed, PF301 the handler trapped
        3 s   sad cancelled, PF604
        9 s   glad completed
    "#]],
    );
}

#[test]
fn what_waits_for_what_survives_a_crash() {
    let story = Story::on(2)
        .job(0, "a", 1, awaited(2))
        .uncut(0, "b", on_results_of(&["a"]))
        .job(0, "c", 1, |job| {
            after(&["a"])(job);
            job.output = Some("/out".into());
        })
        .crash(1)
        .crash(6);
    check(
        story,
        &expect![[r#"
        a/0#1       ━✗
        a/0#2       ·━━✓
        b/cut#1     ···━━✓
        c/0#1       ···━━✓
        b/0#1       ·····━✗
        b/1#1       ·····━✗
        b/1#2       ······━━✓
        b/0#2       ······━━✓
        b/collect#1 ········━━✓
        3 s   a completed
        5 s   c completed
        7 s   c published
        10 s  b completed
    "#]],
    );
}
