//! wxreply: parse the command line, run it, turn the outcome into an exit code.

use std::process::ExitCode;

/// A message is taken in by one thread, written by another and answered by a third, so what one allocates another frees:
/// the system's allocator takes a fifth of the daemon's time under load for that, this one a tenth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wxreply::cli::run()
}
