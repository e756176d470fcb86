//! `mcwanctl`: the command line of mc-wan.
//!
//! Exit codes are a contract: 0 fine, 1 something is wrong, 64 the command line (or a path on it) is.

mod args;
mod check;
mod cluster;
mod demo;
mod export;
mod input;
mod link;
mod render;
mod status;
mod unlink;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind as ClapError;

use args::{Cli, Command};

/// Exit code when something is wrong.
const WRONG: u8 = 1;
/// Exit code of a command line that cannot be understood (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let asked = matches!(e.kind(), ClapError::DisplayHelp | ClapError::DisplayVersion);
            // Where even the message cannot be written, the exit code still says it.
            let _unwritten = e.print().is_err();
            return ExitCode::from(if asked { 0 } else { USAGE });
        }
    };
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let done = match cli.command {
        Command::Check(args) => check::run(&args, &mut out),
        Command::Render(args) => render::run(&args, &mut out, &mut err),
        Command::Link(args) => link::run(&args, &mut out, &mut err),
        Command::Unlink(args) => unlink::run(&args, &mut out),
        Command::Export(args) => export::run(&args, &mut out, &mut err),
        Command::Unexport(args) => export::unexport(&args, &mut out),
        Command::Status(args) => status::run(&args, &mut out),
        Command::Demo(args) => {
            drop((out, err));
            return exit(demo::run(&args), &mut io::stderr());
        }
    };
    exit(done, &mut err)
}

/// The exit code of a command; says why when it could not be carried out.
fn exit(done: anyhow::Result<bool>, err: &mut dyn Write) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(WRONG),
        // `mcwanctl … | head` is not a mistake, but nothing more can be said either.
        Err(e) if is_broken_pipe(&e) => ExitCode::from(WRONG),
        Err(e) => {
            let is_usage = e.is::<input::InputError>() || e.is::<cluster::ContextError>();
            let code = if is_usage { USAGE } else { WRONG };
            let _unwritten = writeln!(err, "mcwanctl: {e:#}").is_err();
            ExitCode::from(code)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}
