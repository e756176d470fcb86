//! Figures of this process from `/proc` (proc(5)), under the names that Prometheus clients use everywhere.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts};

/// Clock ticks a second in `/proc/self/stat`. `USER_HZ` is 100 on every architecture that Rust's Linux targets of
/// tier 1 and 2 run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// One scrape's figures. What cannot be read is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Figures {
    cpu_seconds: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    threads: f64,
    open_fds: f64,
    max_fds: f64,
    start_seconds: f64,
}

impl Figures {
    fn read() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let mut figures = Self::default();
        figures.stat(&read("/proc/self/stat"), &read("/proc/stat"));
        figures.status(&read("/proc/self/status"));
        figures.max_fds = max_fds(&read("/proc/self/limits"));
        figures.open_fds = open_fds();
        figures
    }

    fn stat(&mut self, stat: &str, system: &str) {
        // Field 2, the command, may hold anything; fields are counted from behind its last parenthesis.
        let Some((_, rest)) = stat.rsplit_once(')') else {
            return;
        };
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `rest` begins with field 3.
        let field = |number: usize| -> f64 {
            let text = number.checked_sub(3).and_then(|i| fields.get(i));
            text.and_then(|t| t.parse().ok()).unwrap_or(0.0)
        };
        self.cpu_seconds = (field(14) + field(15)) / TICKS_PER_SECOND;
        let boot = system.lines().find_map(|l| l.strip_prefix("btime "));
        let boot: f64 = boot.and_then(|b| b.trim().parse().ok()).unwrap_or(0.0);
        self.start_seconds = boot + field(22) / TICKS_PER_SECOND;
    }

    fn status(&mut self, status: &str) {
        let number = |name: &str| -> f64 {
            let line = status.lines().find_map(|l| l.strip_prefix(name));
            let word = line.and_then(|l| l.split_ascii_whitespace().next());
            word.and_then(|w| w.parse().ok()).unwrap_or(0.0)
        };
        self.resident_bytes = number("VmRSS:") * 1024.0;
        self.virtual_bytes = number("VmSize:") * 1024.0;
        self.threads = number("Threads:");
    }
}

fn max_fds(limits: &str) -> f64 {
    let line = limits
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"));
    let soft = line.and_then(|l| l.split_ascii_whitespace().next());
    soft.and_then(|w| w.parse().ok()).unwrap_or(0.0)
}

fn open_fds() -> f64 {
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    // The listing itself is open while it is counted.
    u32::try_from(open.saturating_sub(1)).map_or(0.0, f64::from)
}

/// Collects the figures at each scrape.
#[derive(Debug)]
pub(crate) struct ProcessCollector {
    descs: Vec<Desc>,
}

type Reading = fn(&Figures) -> f64;

const GAUGES: [(&str, &str, Reading); 6] = [
    ("process_resident_memory_bytes", "Resident memory.", |f| {
        f.resident_bytes
    }),
    ("process_virtual_memory_bytes", "Virtual memory.", |f| {
        f.virtual_bytes
    }),
    ("process_threads", "Threads.", |f| f.threads),
    ("process_open_fds", "Open file descriptors.", |f| f.open_fds),
    (
        "process_max_fds",
        "Most file descriptors that may be open.",
        |f| f.max_fds,
    ),
    (
        "process_start_time_seconds",
        "Start of the process since 1970.",
        |f| f.start_seconds,
    ),
];

fn cpu() -> prometheus::Result<Counter> {
    Counter::with_opts(Opts::new(
        "process_cpu_seconds_total",
        "CPU time of the process, user and system.",
    ))
}

impl ProcessCollector {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let mut descs: Vec<Desc> = cpu()?.desc().into_iter().cloned().collect();
        for (name, help, _) in GAUGES {
            descs.extend(Gauge::new(name, help)?.desc().into_iter().cloned());
        }
        Ok(Self { descs })
    }

    fn families() -> prometheus::Result<Vec<MetricFamily>> {
        let figures = Figures::read();
        let counter = cpu()?;
        counter.inc_by(figures.cpu_seconds);
        let mut families = counter.collect();
        for (name, help, reading) in GAUGES {
            let gauge = Gauge::new(name, help)?;
            gauge.set(reading(&figures));
            families.extend(gauge.collect());
        }
        Ok(families)
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        Self::families().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_a_command_with_parentheses_and_spaces() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 300 1000 200 18446744073709551615";
        let mut figures = Figures::default();
        figures.stat(stat, "cpu 1 2\nbtime 1700000000\n");
        assert!((figures.cpu_seconds - 2.0).abs() < 1e-9);
        assert!((figures.start_seconds - 1_700_000_003.0).abs() < 1e-6);
    }

    #[test]
    fn garbage_reads_as_zero() {
        let mut figures = Figures::default();
        figures.stat("", "");
        figures.stat("1 (x) S", "btime soon");
        figures.status("VmRSS:\nThreads: many");
        assert_eq!(figures, Figures::default());
        assert!(max_fds("Max open files unlimited unlimited files") < 1.0);
    }

    #[test]
    fn this_process_has_memory_files_and_a_past() {
        let figures = Figures::read();
        assert!(figures.resident_bytes > 100_000.0, "{figures:?}");
        assert!(figures.open_fds >= 3.0, "{figures:?}");
        assert!(figures.max_fds >= figures.open_fds, "{figures:?}");
        assert!(figures.start_seconds > 1_600_000_000.0, "{figures:?}");
    }
}
