//! wxreply: parse the command line, run it, turn the outcome into an exit code.

use std::process::ExitCode;

/// What one thread allocates, another frees, and in bursts: the system's allocator takes an eighth of the daemon's time for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wxreply::cli::run()
}
