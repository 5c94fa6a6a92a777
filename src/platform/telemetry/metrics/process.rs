//! What every program has, under the names that Prometheus' own clients give it
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>), and the runtime's queue.

use procfs::process::{LimitValue, Process};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// Reads `/proc` when it is asked.
#[derive(Debug)]
struct OfProcess;

pub(super) fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(OfProcess));
}

impl Collector for OfProcess {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let mut tell = |name: &str, help: &str, metric: &dyn DynMetric| {
            metric.encode_into(&mut encoder, name, help)
        };
        // Where there is no /proc there are no such metrics.
        if let Ok(process) = Process::myself() {
            let stat = process.stat();
            if let Ok(stat) = &stat {
                let ticks = procfs::ticks_per_second() as f64;
                let cpu = (stat.utime + stat.stime) as f64 / ticks;
                let memory = i64::try_from(stat.rss * procfs::page_size()).unwrap_or(i64::MAX);
                tell(
                    "process_cpu_seconds",
                    "Processor time taken",
                    &ConstCounter::new(cpu),
                )?;
                tell(
                    "process_resident_memory_bytes",
                    "Memory in use",
                    &ConstGauge::new(memory),
                )?;
                tell(
                    "process_threads",
                    "Threads",
                    &ConstGauge::new(stat.num_threads),
                )?;
                if let Ok(booted) = procfs::boot_time_secs() {
                    let started = booted as f64 + stat.starttime as f64 / ticks;
                    tell(
                        "process_start_time_seconds",
                        "When it began, in seconds since 1970",
                        &ConstGauge::new(started),
                    )?;
                }
            }
            if let Ok(open) = process.fd_count() {
                let open = i64::try_from(open).unwrap_or(i64::MAX);
                tell(
                    "process_open_fds",
                    "Open file descriptors",
                    &ConstGauge::new(open),
                )?;
            }
            let limits = process.limits();
            if let Ok(LimitValue::Value(most)) =
                limits.map(|limits| limits.max_open_files.soft_limit)
            {
                let most = i64::try_from(most).unwrap_or(i64::MAX);
                tell(
                    "process_max_fds",
                    "File descriptors that may be open",
                    &ConstGauge::new(most),
                )?;
            }
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let runtime = runtime.metrics();
            let count = |number: usize| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
            let tasks = count(runtime.num_alive_tasks());
            tell("dealgraph_runtime_tasks", "Tasks of the runtime", &tasks)?;
            let workers = count(runtime.num_workers());
            tell(
                "dealgraph_runtime_workers",
                "Threads of the runtime",
                &workers,
            )?;
            let queued = count(runtime.global_queue_depth());
            tell(
                "dealgraph_runtime_queue_depth",
                "Tasks that wait for a thread of the runtime",
                &queued,
            )?;
        }
        Ok(())
    }
}

/// A metric of either kind.
trait DynMetric {
    fn encode_into(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
    ) -> Result<(), std::fmt::Error>;
}

impl<M: EncodeMetric> DynMetric for M {
    fn encode_into(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
    ) -> Result<(), std::fmt::Error> {
        self.encode(encoder.encode_descriptor(name, help, None, self.metric_type())?)
    }
}
