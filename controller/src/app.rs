//! Arguments and wiring; nothing is decided here.

mod args;
mod client;
mod run;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

pub use args::Args;

/// Exit status for wrong usage (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;
/// Exit status when the controller cannot start.
const FAILED: u8 = 1;

/// Parses the arguments and runs until a signal. Returns the status to exit with: 0 after a clean end, 1 when something
/// is wrong, 64 for wrong usage.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => return usage(&e),
    };
    if let Err(message) = args.check() {
        return tell(&message, USAGE);
    }
    if let Err(e) = mcwan_telemetry::log::init_from_env() {
        return tell(&e.to_string(), USAGE);
    }
    match run::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => tell(&format!("{e:#}"), FAILED),
    }
}

fn usage(e: &clap::Error) -> ExitCode {
    let asked = matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    // Nowhere to say that the terminal is gone.
    let _closed = e.print();
    if asked {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(USAGE)
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the log may not be set up yet, and a person reads this"
)]
fn tell(message: &str, status: u8) -> ExitCode {
    eprintln!("mcwan-controller: {message}");
    ExitCode::from(status)
}
