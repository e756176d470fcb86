//! An owned Prometheus registry; closed label sets; values that are sampled at the scrape.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::process::ProcessCollector;

/// Content type of the text exposition.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The metrics of this process. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// A registry with `mcwan_build_info{program, version}` and the process's own figures.
    ///
    /// # Errors
    /// Never in practice: all names here are valid and used once.
    pub fn new(program: &str, version: &str) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let opts = Opts::new("mcwan_build_info", "Always 1; the labels say what runs.");
        let build = IntGaugeVec::new(opts, &["program", "version"])?;
        build
            .get_metric_with_label_values(&[program, version])?
            .set(1);
        registry.register(Box::new(build))?;
        registry.register(Box::new(ProcessCollector::new()?))?;
        Ok(Self { registry })
    }

    /// The registry, for metrics that are kept where things happen.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Registers a gauge whose series are asked for at each scrape. What is no longer said is no longer shown, so
    /// series of removed things need no clean-up.
    ///
    /// # Errors
    /// When the name is invalid or already registered.
    pub fn gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&'static str],
        sample: impl Fn(&mut Samples) + Send + Sync + 'static,
    ) -> prometheus::Result<()> {
        let opts = Opts::new(name, help);
        self.sampled(Kind::Gauge, opts, labels, Box::new(sample))
    }

    /// As [`Metrics::gauge`], for values that only go up.
    ///
    /// # Errors
    /// As [`Metrics::gauge`].
    pub fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&'static str],
        sample: impl Fn(&mut Samples) + Send + Sync + 'static,
    ) -> prometheus::Result<()> {
        let opts = Opts::new(name, help);
        self.sampled(Kind::Counter, opts, labels, Box::new(sample))
    }

    fn sampled(
        &self,
        kind: Kind,
        opts: Opts,
        labels: &[&'static str],
        sample: Sample,
    ) -> prometheus::Result<()> {
        let sampled = Sampled::new(kind, opts, labels, sample)?;
        self.registry.register(Box::new(sampled))
    }

    /// The text exposition of everything registered.
    ///
    /// # Errors
    /// When two metrics contradict each other.
    pub fn encode(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
}

type Sample = Box<dyn Fn(&mut Samples) + Send + Sync>;

/// Series collected in one scrape.
#[derive(Debug)]
pub struct Samples {
    vec: Series,
}

#[derive(Debug)]
enum Series {
    Gauge(GaugeVec),
    Counter(CounterVec),
}

impl Samples {
    /// Adds `value` to the series with these label values, in the order of the names. Series of equal labels add up.
    pub fn add(&mut self, labels: &[&str], value: f64) {
        let known = match &self.vec {
            Series::Gauge(v) => v.get_metric_with_label_values(labels).map(|m| m.add(value)),
            Series::Counter(v) => v
                .get_metric_with_label_values(labels)
                .map(|m| m.inc_by(value.max(0.0))),
        };
        debug_assert!(
            known.is_ok(),
            "the number of label values is that of the names"
        );
    }
}

struct Sampled {
    kind: Kind,
    opts: Opts,
    labels: Vec<&'static str>,
    desc: Vec<Desc>,
    sample: Sample,
}

impl Sampled {
    fn new(
        kind: Kind,
        opts: Opts,
        labels: &[&'static str],
        sample: Sample,
    ) -> prometheus::Result<Self> {
        let prototype = GaugeVec::new(opts.clone(), labels)?;
        let desc = prototype.desc().into_iter().cloned().collect();
        Ok(Self {
            kind,
            opts,
            labels: labels.to_vec(),
            desc,
            sample,
        })
    }

    fn series(&self) -> prometheus::Result<Series> {
        Ok(match self.kind {
            Kind::Gauge => Series::Gauge(GaugeVec::new(self.opts.clone(), &self.labels)?),
            Kind::Counter => Series::Counter(CounterVec::new(self.opts.clone(), &self.labels)?),
        })
    }
}

impl Collector for Sampled {
    fn desc(&self) -> Vec<&Desc> {
        self.desc.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(vec) = self.series() else {
            return Vec::new();
        };
        let mut samples = Samples { vec };
        (self.sample)(&mut samples);
        match samples.vec {
            Series::Gauge(v) => v.collect(),
            Series::Counter(v) => v.collect(),
        }
    }
}

/// Declares a closed set of label values: an enum of unit variants, its wire words, and the list of all of them. No
/// value that a client chose can become a label this way.
#[macro_export]
macro_rules! label_values {
    ( $(#[$doc:meta])* $vis:vis enum $name:ident { $( $(#[$vdoc:meta])* $variant:ident = $word:literal ),+ $(,)? } ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name { $( $(#[$vdoc])* $variant, )+ }

        impl $name {
            /// Every value.
            $vis const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The word in metrics and logs.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    label_values! {
        /// For the test.
        enum Colour {
            /// Red.
            Red = "red",
            /// Blue.
            Blue = "blue",
        }
    }

    #[test]
    fn build_and_process_figures_are_there() {
        let text = Metrics::new("mcwan-test", "1.2.3")
            .unwrap()
            .encode()
            .unwrap();
        assert!(
            text.contains(r#"mcwan_build_info{program="mcwan-test",version="1.2.3"} 1"#),
            "{text}"
        );
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_cpu_seconds_total",
        ] {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
    }

    #[test]
    fn sampled_series_vanish_when_they_are_no_longer_said() {
        let metrics = Metrics::new("mcwan-test", "0").unwrap();
        let said = Arc::new(Mutex::new(vec!["a", "b", "b"]));
        let source = Arc::clone(&said);
        metrics
            .gauge("mcwan_things", "Things.", &["thing"], move |s| {
                source.lock().iter().for_each(|thing| s.add(&[thing], 1.0));
            })
            .unwrap();
        let text = metrics.encode().unwrap();
        assert!(text.contains("mcwan_things{thing=\"a\"} 1\n"), "{text}");
        assert!(text.contains("mcwan_things{thing=\"b\"} 2\n"), "{text}");
        *said.lock() = vec!["a"];
        assert!(!metrics.encode().unwrap().contains("thing=\"b\""));
    }

    #[test]
    fn a_name_is_registered_once() {
        let metrics = Metrics::new("mcwan-test", "0").unwrap();
        let again = || {
            metrics.counter("mcwan_x_total", "X.", &[], |s| {
                s.add(&[], 1.0);
            })
        };
        again().unwrap();
        assert!(again().is_err());
    }

    #[test]
    fn label_values_are_words_and_all_are_listed() {
        let words: Vec<_> = Colour::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(words, ["red", "blue"]);
    }
}
