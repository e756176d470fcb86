//! Tests against real API servers, with real gateways and controllers.
//!
//! They run in an enclosure of kernel namespaces (`mcwan_e2e::enclosure`): this program starts itself anew inside. Where
//! that is not possible, or programs are missing, all tests are listed as ignored, and one line says why.
//! Logs of a run: `target/tmp/e2e/<world>/`.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test program talks to the person who runs it"
)]

#[path = "e2e/world.rs"]
mod world;

#[path = "e2e/shell.rs"]
mod shell;
#[path = "e2e/space.rs"]
mod space;

#[path = "e2e/ctl.rs"]
mod ctl;
#[path = "e2e/faults.rs"]
mod faults;
#[path = "e2e/forged.rs"]
mod forged;
#[path = "e2e/mcs.rs"]
mod mcs;
#[path = "e2e/mcs_more.rs"]
mod mcs_more;
#[path = "e2e/scale.rs"]
mod scale;
#[path = "e2e/servers.rs"]
mod servers;
#[path = "e2e/stories.rs"]
mod stories;

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use mcwan_e2e::assets::Assets;
use mcwan_e2e::enclosure::{Enclosure, enter};

/// Where everything of a run is.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("e2e")
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials()).exit_code();
    }
    let assets = match Assets::find() {
        Ok(assets) => assets,
        Err(reason) => return ignored(&arguments, &reason),
    };
    match enter(&folder().join("data")) {
        Ok(Enclosure::Inside) => {
            // They mostly wait: for a fault that lasts a minute, for a world that another test is in.
            arguments.test_threads.get_or_insert(64);
            world::begin(assets);
            libtest_mimic::run(&arguments, trials()).exit_code()
        }
        Ok(Enclosure::Done(code)) => code,
        Ok(Enclosure::Unavailable(reason)) => ignored(&arguments, &reason),
        Err(error) => {
            eprintln!("e2e: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// All tests. The long ones come first, so that the others run beside them.
fn trials() -> Vec<Trial> {
    let mut all = scale::trials();
    all.extend(faults::trials());
    all.extend(stories::trials());
    all.extend(forged::trials());
    all.extend(mcs::trials());
    all.extend(mcs_more::trials());
    all.extend(ctl::trials());
    all.extend(servers::trials());
    all
}

/// Shows a figure that a test measured.
pub(crate) fn figure(text: &str) {
    println!("e2e: {text}");
}

/// Lists all tests as ignored, with the reason.
fn ignored(arguments: &Arguments, reason: &str) -> ExitCode {
    let trials = trials()
        .into_iter()
        .map(|t| t.with_ignored_flag(true))
        .collect();
    println!("e2e: IGNORED, {reason}");
    libtest_mimic::run(arguments, trials).exit_code()
}
