//! What fits, what is held back, and what goes together.

use super::*;

#[test]
fn small_work_passes_big_work_only_for_a_while() {
    let story = Story::on(2)
        .with(|settings| settings.hold_after = Duration::from_secs(4))
        .job(0, "s", 7, plain)
        .lasts("s/0#1", 1)
        .job(0, "big", 1, cores(2))
        .job(0, "t", 6, plain)
        .explain(2, "big")
        .explain(10, "t");
    check(
        story,
        &expect![[r#"
            s/0#1       ━✓
            s/1#1       ━━✓
            s/2#1       ·━━✓
            s/3#1       ··━━✓
            s/4#1       ···━━✓
            s/5#1       ····━━✓
            s/6#1       ·····━━✓
            s/collect#1 ·······━━✓
            big/0#1     ·········━━✓
            t/0#1       ···········━━✓
            t/1#1       ···········━━✓
            t/2#1       ·············━━✓
            t/3#1       ·············━━✓
            t/4#1       ···············━━✓
            t/5#1       ···············━━✓
            t/collect#1 ·················━━✓
            2 s   big waiting: needs 2 cpu, 0 free; s/2#1 and s/3#1 hold 2
            9 s   s completed
            10 s  t waiting: needs 1 cpu, 0 free; big/0#1 holds 2
            11 s  big completed
            19 s  t completed
        "#]],
    );
}

#[test]
fn a_big_tenant_is_not_starved_by_small_ones() {
    let story = Story::on(2)
        .with(|settings| settings.hold_after = Duration::from_secs(3))
        .job(0, "s", 8, of_tenant("small"))
        .lasts("s/0#1", 1)
        .job(0, "big", 1, |job| {
            of_tenant("large")(job);
            cores(2)(job);
        })
        .explain(3, "s");
    check(
        story,
        &expect![[r#"
            s/0#1       ━✓
            s/1#1       ━━✓
            s/2#1       ·━━✓
            s/3#1       ··━━✓
            big/0#1     ····━━✓
            s/4#1       ······━━✓
            s/5#1       ······━━✓
            s/6#1       ········━━✓
            s/7#1       ········━━✓
            s/collect#1 ··········━━✓
            3 s   s running: s/3#1 runs; capacity is held for big, which waited longer; tenant `large` goes first, it has had less than its share
            6 s   big completed
            12 s  s completed
        "#]],
    );
}

#[test]
fn a_tenant_runs_no_more_than_it_may() {
    let rules = TenantSettings { running_max: Some(1), ..TenantSettings::default() };
    let story = Story::on(3)
        .with(tenant("acme", rules))
        .job(0, "a", 2, of_tenant("acme"))
        .job(0, "b", 2, plain)
        .explain(1, "a");
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            b/0#1       ━━✓
            b/1#1       ━━✓
            a/1#1       ··━━✓
            b/collect#1 ··━━✓
            a/collect#1 ····━━✓
            1 s   a running: a/0#1 runs; tenant `acme` has as many live sandboxes as it may, 1
            4 s   b completed
            6 s   a completed
        "#]],
    );
}

#[test]
fn a_tenant_reserves_no_more_memory_than_it_may() {
    let rules = TenantSettings { memory_max: Some(ByteSize::mib(1)), ..TenantSettings::default() };
    let story =
        Story::on(3).with(tenant("acme", rules)).job(0, "a", 2, of_tenant("acme")).explain(1, "a");
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ··━━✓
            a/collect#1 ····━━✓
            1 s   a running: a/0#1 runs; needs 1 MiB memory, tenant `acme` may take 0 B more
            6 s   a completed
        "#]],
    );
}

#[test]
fn unstated_memory_is_learned() {
    let story = Story::on(4)
        .job(0, "a", 5, |job| {
            job.requirements.memory = None;
            job.limits.memory = ByteSize::gib(3);
        })
        .touches(ByteSize::mib(100))
        .explain(1, "a");
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ··━━✓
            a/2#1       ··━━✓
            a/3#1       ··━━✓
            a/4#1       ··━━✓
            a/collect#1 ····━━✓
            1 s   a running: a/0#1 runs; needs 3 GiB memory, 1 GiB free; a/0#1 holds 3 GiB
            6 s   a completed
        "#]],
    );
}

/// What was taken from a cache ran nowhere, and touched no memory.
#[test]
fn nothing_is_learned_from_what_did_not_run() {
    let story = Story::on(4)
        .job(0, "a", 3, |job| {
            job.requirements.memory = None;
            job.limits.memory = ByteSize::gib(3);
        })
        .touches(ByteSize::ZERO)
        .cached();
    check(
        story,
        &expect![[r#"
        a/0#1       ━━✓
        a/1#1       ··━━✓
        a/2#1       ····━━✓
        a/collect#1 ······━━✓
        8 s   a completed
    "#]],
    );
}

/// The guest's part is learned, the disk's is not: it is reserved whole.
#[test]
fn a_private_disk_is_reserved_beside_what_is_learned() {
    let story = Story::on(4)
        .job(0, "a", 5, |job| {
            job.requirements.memory = None;
            job.limits.memory = ByteSize::gib(2);
            job.limits.disk = ByteSize::gib(1);
        })
        .touches(ByteSize::mib(100))
        .explain(1, "a")
        .job(9, "b", 1, |job| {
            job.requirements.memory = None;
            job.limits.memory = ByteSize::gib(2);
            job.limits.disk = ByteSize::gib(3);
        });
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ··━━✓
            a/2#1       ··━━✓
            a/3#1       ··━━✓
            a/4#1       ····━━✓
            a/collect#1 ······━━✓
            b/0#1                ━━✓
            1 s   a running: a/0#1 runs; needs 3 GiB memory, 1 GiB free; a/0#1 holds 3 GiB
            8 s   a completed
            11 s  b completed
        "#]],
    );
}

#[test]
fn what_never_fits_is_refused_with_need_and_capacity() {
    let rules = TenantSettings { memory_max: Some(ByteSize::mib(1)), ..TenantSettings::default() };
    let story = Story::on(2)
        .with(tenant("poor", rules))
        .job(0, "wide", 1, cores(3))
        .job(0, "gpu", 1, |job| job.requirements.gpu_memory = ByteSize::gib(1))
        .job(0, "fat", 1, |job| {
            of_tenant("poor")(job);
            job.requirements.memory = Some(ByteSize::mib(2));
        });
    check(
        story,
        &expect![[r#"
            0 s   wide failed, PF105 the job asks for more than it can have here: an attempt needs 3 cpu, 1 MiB memory; the machine has 2 cpu, 2 GiB memory
            0 s   gpu failed, PF105 the job asks for more than it can have here: an attempt needs 1 cpu, 1 MiB memory, 1 GiB gpu memory; the machine has 2 cpu, 2 GiB memory
            0 s   fat failed, PF105 the job asks for more than it can have here: an attempt needs 1 cpu, 2 MiB memory; tenant `poor` may use 1 MiB memory
        "#]],
    );
}

#[test]
fn a_machine_that_shrinks_lets_run_what_runs() {
    let small = pframe_core::resources::Capacity { cpu: CpuCores::ONE, ..common::machine(2) };
    let story = Story::on(2)
        .job(0, "a", 4, cores(1))
        .job(0, "b", 1, cores(2))
        .say(1, Message::CapacityChanged(small))
        .explain(8, "b")
        .say(20, Message::CapacityChanged(common::machine(2)));
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ━━✓
            a/2#1       ··━━✓
            a/3#1       ····━━✓
            a/collect#1 ······━━✓
            b/0#1       ····················━━✓
            8 s   a completed
            8 s   b waiting: needs 2 cpu, 1 MiB memory, the machine has 1 cpu, 2 GiB memory now
            22 s  b completed
        "#]],
    );
}

#[test]
fn tiny_work_goes_in_batches_after_it_was_spread_over_the_cores() {
    let story = Story::on(2)
        .with(|settings| settings.batch.time_max = Duration::from_secs(4))
        .job(0, "a", 1, plain)
        .lasts("a", 1)
        .job(1, "b", 4, plain)
        .lasts("b", 1)
        .job(4, "c", 12, plain)
        .lasts("c", 1);
    check(
        story,
        &expect![[r#"
            a/0#1       ━✓
            b/0#1        ━✓
            b/1#1        ─━✓
            b/2#1        ━✓
            b/3#1        ─━✓
            b/collect#1  ··━✓
            c/0#1           ━✓
            c/1#1           ─━✓
            c/2#1           ──━✓
            c/3#1           ───━✓
            c/4#1           ━✓
            c/5#1           ─━✓
            c/6#1           ──━✓
            c/7#1           ───━✓
            c/8#1           ····━✓
            c/9#1           ····─━✓
            c/10#1          ····━✓
            c/11#1          ····─━✓
            c/collect#1     ······━✓
            1 s   a completed
            4 s   b completed
            11 s  c completed
        "#]],
    );
}

#[test]
fn batches_span_jobs_but_not_components() {
    let story = Story::on(1)
        .with(|settings| settings.batch.time_max = Duration::from_secs(6))
        .job(0, "warm", 1, plain)
        .job(1, "x", 1, plain)
        .job(1, "y", 1, plain)
        .job(1, "z", 1, |job| job.task.component = Digest([9; 32]));
    check(
        story,
        &expect![[r#"
            warm/0#1 ━━✓
            x/0#1     ·━━✓
            y/0#1     ·──━━✓
            z/0#1     ·····━━✓
            2 s   warm completed
            4 s   x completed
            6 s   y completed
            8 s   z completed
        "#]],
    );
}

#[test]
fn a_job_may_state_its_batches() {
    check(
        Story::on(2).job(0, "a", 5, |job| job.batch = Some(3)),
        &expect![[r#"
            a/0#1       ━━✓
            a/1#1       ──━━✓
            a/2#1       ────━━✓
            a/3#1       ━━✓
            a/4#1       ──━━✓
            a/collect#1 ······━━✓
            8 s   a completed
        "#]],
    );
}

#[test]
fn a_chunk_that_was_lost_runs_alone() {
    let story = Story::on(1)
        .job(0, "a", 4, |job| {
            job.batch = Some(2);
            job.retry.base_delay = Duration::ZERO;
        })
        .fails("a/0#1", Code::WorkerLost);
    check(
        story,
        &expect![[r#"
            a/0#1       ━━✗
            a/1#1       ──━━✓
            a/0#2       ····━━✓
            a/2#1       ······━━✓
            a/3#1       ······──━━✓
            a/collect#1 ··········━━✓
            12 s  a completed
        "#]],
    );
}

#[test]
fn a_waiting_job_says_what_it_waits_for() {
    let story = Story::on(3)
        .job(0, "job-5", 2, plain)
        .job(0, "job-6", 2, cores(2))
        .explain(1, "job-5")
        .explain(1, "job-6");
    check(
        story,
        &expect![[r#"
            job-5/0#1       ━━✓
            job-5/1#1       ━━✓
            job-5/collect#1 ··━━✓
            job-6/0#1       ··━━✓
            job-6/1#1       ····━━✓
            job-6/collect#1 ······━━✓
            1 s   job-5 running: job-5/0#1 and job-5/1#1 run
            1 s   job-6 waiting: needs 2 cpu, 1 free; job-5/0#1 and job-5/1#1 hold 2
            4 s   job-5 completed
            8 s   job-6 completed
        "#]],
    );
}

#[test]
fn a_retry_joins_no_batch() {
    let batched = |job: &mut JobSpec| job.batch = Some(2);
    let story = Story::on(1)
        .job(0, "a", 1, batched)
        .fails("a/0#1", Code::Transient)
        .job(1, "c", 1, batched)
        .lasts("c", 4)
        .job(3, "b", 1, |job| {
            batched(job);
            job.priority = 1;
        });
    check(
        story,
        &expect![[r#"
        a/0#1 ━━✗
        c/0#1  ·━━━━✓
        b/0#1    ···━━✓
        a/0#2 ········━━✓
        6 s   c completed
        8 s   b completed
        10 s  a completed
    "#]],
    );
}

#[test]
fn a_tenants_own_memory_is_held_for_what_waited_long() {
    let rules = TenantSettings { memory_max: Some(ByteSize::mib(2)), ..TenantSettings::default() };
    let story = Story::on(4)
        .with(tenant("acme", rules))
        .with(|settings| settings.hold_after = Duration::from_secs(3))
        .job(0, "s", 2, of_tenant("acme"))
        .lasts("s/0#1", 1)
        .job(0, "big", 1, |job| {
            of_tenant("acme")(job);
            job.requirements.memory = Some(ByteSize::mib(2));
        })
        .job(0, "t", 8, of_tenant("acme"));
    check(
        story,
        &expect![[r#"
        s/0#1       ━✓
        s/1#1       ━━✓
        t/0#1       ·━━✓
        s/collect#1 ··━━✓
        big/0#1     ····━━✓
        t/1#1       ······━━✓
        t/2#1       ······━━✓
        t/3#1       ········━━✓
        t/4#1       ········━━✓
        t/5#1       ··········━━✓
        t/6#1       ··········━━✓
        t/7#1       ············━━✓
        t/collect#1 ··············━━✓
        4 s   s completed
        6 s   big completed
        16 s  t completed
    "#]],
    );
}

#[test]
fn work_is_spread_over_no_more_slots_than_its_tenant_may_use() {
    let rules = TenantSettings { running_max: Some(1), ..TenantSettings::default() };
    let story = Story::on(2)
        .with(tenant("acme", rules))
        .with(|settings| settings.batch.time_max = Duration::from_secs(8))
        .job(0, "warm", 1, of_tenant("acme"))
        .job(3, "a", 3, of_tenant("acme"));
    check(
        story,
        &expect![[r#"
        warm/0#1    ━━✓
        a/0#1          ━━✓
        a/1#1          ──━━✓
        a/2#1          ────━━✓
        a/collect#1    ······━━✓
        2 s   warm completed
        11 s  a completed
    "#]],
    );
}
