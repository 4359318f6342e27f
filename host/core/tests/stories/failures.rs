//! What follows when something goes wrong, or is no longer wanted.

use super::*;

#[test]
fn a_transient_failure_is_tried_again_after_a_delay() {
    let story = Story::on(1)
        .job(0, "a", 2, |job| job.retry.base_delay = Duration::from_secs(8))
        .fails("a/0#1", Code::Transient)
        .explain(5, "a")
        .explain(7, "a");
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✗
            a/1#1       ··━━✓
            a/0#2       ·········━━✓
            a/collect#1 ···········━━✓
            5 s   a waiting: chunk 0 waits 4.7 s for its attempt 2
            7 s   a waiting: chunk 0 waits 2.7 s for its attempt 2
            13 s  a completed
        "#]],
    );
}

#[test]
fn retries_run_out() {
    let story = Story::on(1)
        .job(0, "a", 1, plain)
        .fails("a/0#1", Code::Transient)
        .fails("a/0#2", Code::Transient)
        .fails("a/0#3", Code::Transient);
    check(
        story,
        &expect![[r#"
            a/0#1 ━━✗
            a/0#2 ··━━✗
            a/0#3 ·····━━✘
            7 s   a failed, PF309 the handler failed and asked for another try
        "#]],
    );
}

#[test]
fn a_lost_worker_is_forgiven_twice() {
    let story = Story::on(1)
        .job(0, "a", 1, |job| job.retry.retries_max = 0)
        .fails("a/0#1", Code::WorkerLost)
        .fails("a/0#2", Code::WorkerLost)
        .fails("a/0#3", Code::WorkerLost);
    check(
        story,
        &expect![[r#"
            a/0#1 ━━✗
            a/0#2 ··━━✗
            a/0#3 ·····━━✘
            7 s   a failed, PF401 the attempt was lost when the host or its worker died
        "#]],
    );
}

#[test]
fn a_chunk_that_fails_for_good_stops_its_job() {
    let story = Story::on(3)
        .job(0, "a", 4, plain)
        .lasts("a", 5)
        .lasts("a/1#1", 2)
        .fails("a/1#1", Code::Fuel);
    check(
        story,
        &expect![[r#"
            a/0#1 ━━━✘
            a/1#1 ━━✘
            a/2#1 ━━━✘
            2 s   a is stopped, PF302
            3 s   a failed, PF302 the handler used all its fuel
        "#]],
    );
}

#[test]
fn a_tolerated_failure_is_left_out() {
    let story =
        Story::on(2).job(0, "a", 3, tolerant(Tolerance::Chunks(1))).fails("a/1#1", Code::Trap);
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ━━✘
            a/2#1       ··━━✓
            a/collect#1 ····━━✓
            6 s   a completed
        "#]],
    );
}

#[test]
fn one_failure_more_than_tolerated_stops_the_job() {
    let story = Story::on(1)
        .job(0, "a", 4, tolerant(Tolerance::Share(2500)))
        .fails("a/0#1", Code::Trap)
        .fails("a/2#1", Code::Fuel);
    check(
        story,
        &expect![[r#"
            a/0#1 ━━✘
            a/1#1 ··━━✓
            a/2#1 ····━━✘
            6 s   a failed, PF302 the handler used all its fuel
        "#]],
    );
}

#[test]
fn a_job_whose_chunks_all_failed_fails_even_if_that_was_tolerated() {
    let story = Story::on(2)
        .job(0, "a", 2, tolerant(Tolerance::All))
        .fails("a/0#1", Code::Trap)
        .fails("a/1#1", Code::Fuel);
    check(
        story,
        &expect![[r#"
            a/0#1 ━━✘
            a/1#1 ━━✘
            2 s   a failed, PF302 the handler used all its fuel
        "#]],
    );
}

#[test]
fn collecting_is_tried_again_too() {
    let story = Story::on(2).job(0, "a", 2, plain).fails("a/collect#1", Code::InputOutput);
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ━━✓
            a/collect#1 ··━━✗
            a/collect#2 ····━━✓
            6 s   a completed
        "#]],
    );
}

#[test]
fn a_job_is_cancelled_in_every_state() {
    let story = Story::on(1)
        .job(0, "running", 2, plain)
        .cancel(1, "running")
        .job(2, "queued", 1, plain)
        .job(2, "waits", 1, plain)
        .cancel(3, "waits")
        .job(5, "retrying", 1, |job| job.retry.base_delay = Duration::from_mins(1))
        .fails("retrying/0#1", Code::Transient)
        .cancel(8, "retrying")
        .uncut_job(9, "cutting")
        .cancel(10, "cutting")
        .job(12, "collecting", 2, plain)
        .cancel(17, "collecting")
        .job(20, "completed", 1, |job| job.output = Some("/out".into()))
        .cancel(22, "completed")
        .cancel(23, "nobody");
    check(
        story,
        &expect![[r#"
            running/0#1          ━━✘
            queued/0#1             ━━✓
            retrying/0#1              ━━✗
            cutting/cut#1                 ━━✘
            collecting/0#1                   ━━✓
            collecting/1#1                   ··━━✓
            collecting/collect#1             ····━━✘
            completed/0#1                            ━━✓
            1 s   running is stopped, PF601
            2 s   running cancelled, PF601
            3 s   waits cancelled, PF601
            4 s   queued completed
            8 s   retrying cancelled, PF601
            10 s  cutting is stopped, PF601
            11 s  cutting cancelled, PF601
            17 s  collecting is stopped, PF601
            18 s  collecting cancelled, PF601
            22 s  completed completed
            23 s  completed published
        "#]],
    );
}

#[test]
fn a_job_past_its_deadline_is_stopped() {
    let story = Story::on(1)
        .job(0, "a", 3, |job| job.deadline = Some(Timestamp(3_000_000)))
        .explain(3, "a")
        .job(0, "b", 1, |job| job.deadline = Some(Timestamp(4_000_000)));
    check(
        story,
        &expect![[r#"
            a/0#1 ━━✓
            a/1#1 ··━━✘
            3 s   a is stopped, PF106
            3 s   a running: a/1#1 runs; it is being stopped, the job did not end before its deadline
            4 s   a failed, PF106 the job did not end before its deadline
            4 s   b failed, PF106 the job did not end before its deadline
        "#]],
    );
}

#[test]
fn draining_starts_nothing_and_a_restart_goes_on() {
    let story = Story::on(2)
        .job(0, "a", 3, plain)
        .lasts("a/1#1", 3)
        .fails("a/1#1", Code::Drained)
        .say(1, Message::Drain)
        .explain(4, "a")
        .crash(6);
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ━━━↩
            a/1#2       ······━━✓
            a/2#1       ······━━✓
            a/collect#1 ········━━✓
            4 s   a waiting: the host starts nothing any more
            10 s  a completed
        "#]],
    );
}

#[test]
fn a_crash_loses_and_charges_what_ran() {
    let story = Story::on(2)
        .job(0, "a", 3, |job| job.output = Some("/out".into()))
        .lasts("a/1#1", 9)
        .crash(3);
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ━━━✗
            a/2#1       ··━✗
            a/1#2       ···━━✓
            a/2#2       ···━━✓
            a/collect#1 ·····━━✓
            7 s   a completed
            8 s   a published
        "#]],
    );
}

#[test]
fn a_result_that_was_not_published_is_published_after_a_restart() {
    let story = Story::on(1).job(0, "a", 1, |job| job.output = Some("/out".into())).crash(3);
    check(
        story,
        &expect![[r#"
            a/0#1 ━━✓
            2 s   a completed
            4 s   a published
        "#]],
    );
}
