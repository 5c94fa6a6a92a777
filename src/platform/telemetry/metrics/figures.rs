//! Figures of the business, which are counted in the database: all servers tell the same.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// One figure, and how many there were when it was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Its name, to which Prometheus adds `_total` where it only grows.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Whether it only grows.
    pub is_total: bool,
    /// How many.
    pub count: i64,
}

/// The figures as they were last read; none before that.
#[derive(Debug, Clone, Default)]
pub struct Figures(Arc<Mutex<Read>>);

#[derive(Debug, Default)]
struct Read {
    figures: Vec<Figure>,
    at: Option<DateTime<Utc>>,
}

impl Figures {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let figures = Self::default();
        registry.register_collector(Box::new(figures.clone()));
        figures
    }

    /// Has these told from now on.
    pub fn set(&self, figures: Vec<Figure>, at: DateTime<Utc>) {
        let at = Some(at);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Read { figures, at };
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = read.at {
            let at = ConstGauge::new(at.timestamp());
            let (name, kind) = ("figures_read_timestamp_seconds", at.metric_type());
            let help = "When the figures of the business were last read, in seconds since 1970";
            at.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        for figure in &read.figures {
            if figure.is_total {
                let count = ConstCounter::new(u64::try_from(figure.count).unwrap_or(0));
                let kind = count.metric_type();
                count.encode(encoder.encode_descriptor(figure.name, figure.help, None, kind)?)?;
            } else {
                let count = ConstGauge::new(figure.count);
                let kind = count.metric_type();
                count.encode(encoder.encode_descriptor(figure.name, figure.help, None, kind)?)?;
            }
        }
        Ok(())
    }
}
