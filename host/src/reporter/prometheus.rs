//! A run's figures as Prometheus text.
//!
//! Owns: the names, units and help texts of metrics, and their order.
//! Never: counts; that is the business of [`Figures`].

use std::fmt;
use std::time::Duration;

use pframe_core::fault::Code;
use pframe_core::state::JobState;
use pframe_core::units::ByteSize;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::figures::Figures;

/// All metrics of a run; `resident` is what this process holds.
pub(super) fn text(figures: &Figures, attempts_max: u32, resident: ByteSize) -> String {
    let mut registry = Registry::with_prefix("pframe");
    registry.register_collector(Box::new(Snapshot {
        figures: figures.clone(),
        attempts_max,
        resident,
    }));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a String does not fail");
    text
}

/// Figures at one moment, in the order in which they are written.
#[derive(Debug)]
struct Snapshot {
    figures: Figures,
    attempts_max: u32,
    resident: ByteSize,
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.jobs(&mut page)?;
        self.attempts(&mut page)?;
        self.usage(&mut page)
    }
}

impl Snapshot {
    fn jobs(&self, page: &mut Page<'_>) -> fmt::Result {
        let totals = self.figures.totals();
        page.gauges(
            ("jobs", "Jobs by state"),
            "state",
            JobState::ALL.into_iter().map(|state| (state.name().to_owned(), totals.jobs_in(state))),
        )?;
        page.counters(("job_failures", "Jobs that ended without a result"), &totals.job_faults)?;
        page.counter("chunks_planned", "Chunks of all jobs", totals.chunks)?;
        page.counter("chunks_done", "Chunks that succeeded", totals.chunks_done)?;
        let cached = "Chunks whose result was there already";
        page.counter("chunks_cached", cached, totals.chunks_cached)?;
        page.counter("chunks_failed", "Chunks that failed for good", totals.chunks_failed)?;
        let wait = ("queue_wait", "From a job's acceptance to its first attempt");
        page.seconds(wait, &self.figures.queue_wait)
    }

    fn attempts(&self, page: &mut Page<'_>) -> fmt::Result {
        let Self { figures, attempts_max, .. } = self;
        let totals = figures.totals();
        page.counter("attempts", "Attempts ordered", totals.attempts)?;
        page.counter("retries", "Attempts that failed and are tried again", figures.retries)?;
        page.counter("attempts_returned", "Attempts taken back uncharged", figures.returned)?;
        page.counters(("attempt_failures", "Attempts that failed"), &totals.attempt_faults)?;
        page.seconds(("attempt_wall", "Time that attempts took"), &figures.attempt_wall)?;
        page.gauge("attempts_live", "Sandboxes alive", None, figures.attempts_live())?;
        let most = u64::from(*attempts_max);
        page.gauge("attempts_max", "Sandboxes that may be alive at once", None, most)?;
        #[expect(clippy::cast_precision_loss, reason = "both are small")]
        let share = figures.attempts_live() as f64 / most.max(1) as f64;
        page.share("pool_use", "Share of the sandboxes that is alive", share)
    }

    fn usage(&self, page: &mut Page<'_>) -> fmt::Result {
        let Self { figures, resident, .. } = self;
        let totals = figures.totals();
        let seconds = |time: Duration| time.as_secs_f64();
        page.time("attempt_cpu", "Processor time of all attempts", seconds(totals.cpu))?;
        page.time("attempt_busy", "Wall time of all attempts", seconds(totals.busy))?;
        page.counter("fuel", "Units of work of all attempts", totals.fuel.0)?;
        page.bytes("input", "Handed to handlers", totals.input_bytes)?;
        page.bytes("output", "Written by handlers", totals.output_bytes)?;
        page.counter("calls_denied", "Calls denied for want of a grant", figures.calls_denied)?;
        let reserved = figures.memory_reserved().bytes();
        let bytes = Some(&Unit::Bytes);
        page.gauge("memory_reserved", "Reserved for live attempts", bytes, reserved)?;
        let peak = figures.memory_peak.bytes();
        page.gauge("attempt_memory_peak", "The most that one attempt held", bytes, peak)?;
        page.gauge("memory_resident", "Held by this process", bytes, resident.bytes())
    }
}

/// One metric after another.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn describe(
        &mut self,
        (name, help): (&str, &str),
        unit: Option<&Unit>,
        kind: MetricType,
        write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(self.0.encode_descriptor(name, help, unit, kind)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.describe((name, help), None, MetricType::Counter, |to| {
            ConstCounter::new(value).encode(to)
        })
    }

    fn bytes(&mut self, name: &str, help: &str, value: ByteSize) -> fmt::Result {
        self.describe((name, help), Some(&Unit::Bytes), MetricType::Counter, |to| {
            ConstCounter::new(value.bytes()).encode(to)
        })
    }

    fn time(&mut self, name: &str, help: &str, seconds: f64) -> fmt::Result {
        self.describe((name, help), Some(&Unit::Seconds), MetricType::Counter, |to| {
            ConstCounter::new(seconds).encode(to)
        })
    }

    fn counters<'c>(
        &mut self,
        about: (&str, &str),
        counts: impl IntoIterator<Item = (&'c Code, &'c u64)>,
    ) -> fmt::Result {
        self.describe(about, None, MetricType::Counter, |mut to| {
            for (code, count) in counts {
                let labels = [("code", code.to_string()), ("name", code.name().to_owned())];
                ConstCounter::new(*count).encode(to.encode_family(&labels)?)?;
            }
            Ok(())
        })
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        self.describe((name, help), unit, MetricType::Gauge, |to| ConstGauge::new(value).encode(to))
    }

    fn share(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.describe((name, help), Some(&Unit::Other("ratio".into())), MetricType::Gauge, |to| {
            ConstGauge::new(value).encode(to)
        })
    }

    fn gauges(
        &mut self,
        about: (&str, &str),
        label: &str,
        values: impl IntoIterator<Item = (String, u64)>,
    ) -> fmt::Result {
        self.describe(about, None, MetricType::Gauge, |mut to| {
            for (name, value) in values {
                ConstGauge::new(value).encode(to.encode_family(&[(label, name)])?)?;
            }
            Ok(())
        })
    }

    fn seconds(&mut self, about: (&str, &str), histogram: &impl EncodeMetric) -> fmt::Result {
        self.describe(about, Some(&Unit::Seconds), MetricType::Histogram, |to| histogram.encode(to))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::records;
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "one expected text")]
    fn every_figure_is_a_fold_of_records() {
        let mut figures = Figures::new();
        figures.apply(&records());
        let expect = expect_test::expect![[r##"
            # HELP pframe_jobs Jobs by state
            # TYPE pframe_jobs gauge
            pframe_jobs{state="pending"} 0
            pframe_jobs{state="queued"} 1
            pframe_jobs{state="running"} 0
            pframe_jobs{state="retrying"} 0
            pframe_jobs{state="completed"} 1
            pframe_jobs{state="failed"} 1
            pframe_jobs{state="cancelled"} 0
            # HELP pframe_job_failures Jobs that ended without a result
            # TYPE pframe_job_failures counter
            pframe_job_failures_total{code="PF302",name="limit.fuel"} 1
            # HELP pframe_chunks_planned Chunks of all jobs
            # TYPE pframe_chunks_planned counter
            pframe_chunks_planned_total 6
            # HELP pframe_chunks_done Chunks that succeeded
            # TYPE pframe_chunks_done counter
            pframe_chunks_done_total 2
            # HELP pframe_chunks_cached Chunks whose result was there already
            # TYPE pframe_chunks_cached counter
            pframe_chunks_cached_total 0
            # HELP pframe_chunks_failed Chunks that failed for good
            # TYPE pframe_chunks_failed counter
            pframe_chunks_failed_total 1
            # HELP pframe_queue_wait_seconds From a job's acceptance to its first attempt
            # TYPE pframe_queue_wait_seconds histogram
            # UNIT pframe_queue_wait_seconds seconds
            pframe_queue_wait_seconds_sum 16.0
            pframe_queue_wait_seconds_count 2
            pframe_queue_wait_seconds_bucket{le="0.001"} 0
            pframe_queue_wait_seconds_bucket{le="0.003"} 0
            pframe_queue_wait_seconds_bucket{le="0.01"} 0
            pframe_queue_wait_seconds_bucket{le="0.03"} 0
            pframe_queue_wait_seconds_bucket{le="0.1"} 0
            pframe_queue_wait_seconds_bucket{le="0.3"} 0
            pframe_queue_wait_seconds_bucket{le="1.0"} 0
            pframe_queue_wait_seconds_bucket{le="3.0"} 0
            pframe_queue_wait_seconds_bucket{le="10.0"} 2
            pframe_queue_wait_seconds_bucket{le="30.0"} 2
            pframe_queue_wait_seconds_bucket{le="100.0"} 2
            pframe_queue_wait_seconds_bucket{le="300.0"} 2
            pframe_queue_wait_seconds_bucket{le="1000.0"} 2
            pframe_queue_wait_seconds_bucket{le="3600.0"} 2
            pframe_queue_wait_seconds_bucket{le="+Inf"} 2
            # HELP pframe_attempts Attempts ordered
            # TYPE pframe_attempts counter
            pframe_attempts_total 4
            # HELP pframe_retries Attempts that failed and are tried again
            # TYPE pframe_retries counter
            pframe_retries_total 1
            # HELP pframe_attempts_returned Attempts taken back uncharged
            # TYPE pframe_attempts_returned counter
            pframe_attempts_returned_total 0
            # HELP pframe_attempt_failures Attempts that failed
            # TYPE pframe_attempt_failures counter
            pframe_attempt_failures_total{code="PF302",name="limit.fuel"} 1
            pframe_attempt_failures_total{code="PF309",name="task.transient"} 1
            # HELP pframe_attempt_wall_seconds Time that attempts took
            # TYPE pframe_attempt_wall_seconds histogram
            # UNIT pframe_attempt_wall_seconds seconds
            pframe_attempt_wall_seconds_sum 6.0
            pframe_attempt_wall_seconds_count 4
            pframe_attempt_wall_seconds_bucket{le="0.001"} 0
            pframe_attempt_wall_seconds_bucket{le="0.003"} 0
            pframe_attempt_wall_seconds_bucket{le="0.01"} 0
            pframe_attempt_wall_seconds_bucket{le="0.03"} 0
            pframe_attempt_wall_seconds_bucket{le="0.1"} 0
            pframe_attempt_wall_seconds_bucket{le="0.3"} 0
            pframe_attempt_wall_seconds_bucket{le="1.0"} 0
            pframe_attempt_wall_seconds_bucket{le="3.0"} 4
            pframe_attempt_wall_seconds_bucket{le="10.0"} 4
            pframe_attempt_wall_seconds_bucket{le="30.0"} 4
            pframe_attempt_wall_seconds_bucket{le="100.0"} 4
            pframe_attempt_wall_seconds_bucket{le="300.0"} 4
            pframe_attempt_wall_seconds_bucket{le="1000.0"} 4
            pframe_attempt_wall_seconds_bucket{le="3600.0"} 4
            pframe_attempt_wall_seconds_bucket{le="+Inf"} 4
            # HELP pframe_attempts_live Sandboxes alive
            # TYPE pframe_attempts_live gauge
            pframe_attempts_live 0
            # HELP pframe_attempts_max Sandboxes that may be alive at once
            # TYPE pframe_attempts_max gauge
            pframe_attempts_max 8
            # HELP pframe_pool_use_ratio Share of the sandboxes that is alive
            # TYPE pframe_pool_use_ratio gauge
            # UNIT pframe_pool_use_ratio ratio
            pframe_pool_use_ratio 0.0
            # HELP pframe_attempt_cpu_seconds Processor time of all attempts
            # TYPE pframe_attempt_cpu_seconds counter
            # UNIT pframe_attempt_cpu_seconds seconds
            pframe_attempt_cpu_seconds_total 5.6
            # HELP pframe_attempt_busy_seconds Wall time of all attempts
            # TYPE pframe_attempt_busy_seconds counter
            # UNIT pframe_attempt_busy_seconds seconds
            pframe_attempt_busy_seconds_total 6.0
            # HELP pframe_fuel Units of work of all attempts
            # TYPE pframe_fuel counter
            pframe_fuel_total 6000000000
            # HELP pframe_input_bytes Handed to handlers
            # TYPE pframe_input_bytes counter
            # UNIT pframe_input_bytes bytes
            pframe_input_bytes_total 629145600
            # HELP pframe_output_bytes Written by handlers
            # TYPE pframe_output_bytes counter
            # UNIT pframe_output_bytes bytes
            pframe_output_bytes_total 12288
            # HELP pframe_calls_denied Calls denied for want of a grant
            # TYPE pframe_calls_denied counter
            pframe_calls_denied_total 0
            # HELP pframe_memory_reserved_bytes Reserved for live attempts
            # TYPE pframe_memory_reserved_bytes gauge
            # UNIT pframe_memory_reserved_bytes bytes
            pframe_memory_reserved_bytes 0
            # HELP pframe_attempt_memory_peak_bytes The most that one attempt held
            # TYPE pframe_attempt_memory_peak_bytes gauge
            # UNIT pframe_attempt_memory_peak_bytes bytes
            pframe_attempt_memory_peak_bytes 50500000
            # HELP pframe_memory_resident_bytes Held by this process
            # TYPE pframe_memory_resident_bytes gauge
            # UNIT pframe_memory_resident_bytes bytes
            pframe_memory_resident_bytes 44040192
            # EOF
        "##]];
        expect.assert_eq(&text(&figures, 8, ByteSize::mib(42)));
    }
}
