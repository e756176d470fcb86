//! Arguments and wiring; nothing is decided here.
//!
//! * [`Args`] — command line and environment.
//! * [`Gateway`] — the data plane in a Pingora server; several may run in one process.
//! * `source` — where the objects come from.
//! * `administer` — an admin server that follows its Gateway.
//! * `run` — the whole program: source, gateway, admin server, signals.

mod administer;
mod args;
mod gateway;
mod run;
mod signals;
mod source;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

pub use args::Args;
pub use gateway::{Config, End, Gateway};

/// Exit status for wrong usage (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;
/// Exit status when the gateway cannot start, or was ended by a second signal.
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
        Ok(run::Verdict::Clean) => ExitCode::SUCCESS,
        Ok(run::Verdict::Hurried) => ExitCode::from(FAILED),
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
    eprintln!("mcwan-gateway: {message}");
    ExitCode::from(status)
}
