//! Arguments and wiring; nothing is decided here.

/// Parses the arguments and runs until a signal.
///
/// # Errors
/// When the arguments are wrong, or the process cannot start.
pub fn main() -> anyhow::Result<()> {
    todo!("wiring")
}
