//! The threads of the public listener. They do nothing else, so a page at the console or a burst of deliveries stands before
//! no push.

use std::io;
use std::thread::available_parallelism;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// More can't be kept busy: one thread writes what they bring.
const MOST: usize = 4;

/// The threads. They end when this is dropped, with all that they run.
pub(super) struct Receiving {
    handle: Handle,
    /// Taken when this is dropped.
    runtime: Option<Runtime>,
}

impl Receiving {
    /// As many threads as there are cores, but for the one that the writer of the log has. With two on two cores, beside the
    /// writer, they mostly took the cores from each other: 6 to 8 % fewer pushes a second.
    pub(super) fn start() -> io::Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.saturating_sub(1).clamp(1, MOST))
            .thread_name("receiver")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Serves on these threads what `serve` makes of the listener.
    pub(super) fn serve<S>(
        &self,
        listener: TcpListener,
        serve: impl FnOnce(TcpListener) -> S,
    ) -> io::Result<JoinHandle<()>>
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let _inside = self.handle.enter();
        let listener = TcpListener::from_std(listener.into_std()?)?;
        Ok(self.handle.spawn(serve(listener)))
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A daemon is dropped on threads that may not wait.
            runtime.shutdown_background();
        }
    }
}
