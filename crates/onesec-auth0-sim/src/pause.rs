//! Holding answers back, so that a test can act while an exchange is under way.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds every answer to an exchange that arrives while it lives. The token is already issued then: what is held
/// is the answer. Dropping it releases them.
#[derive(Debug)]
pub struct Pause {
    gate: Arc<Gate>,
}

#[derive(Debug)]
pub(crate) struct Gate {
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Pause {
    pub(crate) fn new() -> (Self, Arc<Gate>) {
        let gate = Arc::new(Gate { arrived: watch::channel(0).0, open: watch::channel(false).0 });
        (Self { gate: Arc::clone(&gate) }, gate)
    }

    /// Waits until at least `count` exchanges are held.
    pub async fn arrived(&self, count: usize) {
        // The sender lives in `self.gate`: waiting cannot fail.
        let _alive = self.gate.arrived.subscribe().wait_for(|seen| *seen >= count).await.is_ok();
    }

    /// Lets every held answer go, and all that follow.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.gate.open.send_replace(true);
    }
}

impl Gate {
    pub(crate) async fn pass(&self) {
        self.arrived.send_modify(|seen| *seen += 1);
        let _alive = self.open.subscribe().wait_for(|open| *open).await.is_ok();
    }
}
