//! Named places at which a crash test may end the process: what is lost there, and what is not, is the point of it.
//!
//! Builds without debug assertions, and so every release, have none: there [`pass`] is nothing, and `arm` does not exist.
//! In the others only the test package's server arms one.

/// The places of this crate.
pub const NAMES: [&str; 9] = [
    "append.before",
    "append.after",
    "fsync.before",
    "fsync.after",
    "snapshot.before",
    "snapshot.middle",
    "snapshot.after",
    "outbox.before",
    "outbox.after",
];

/// The process comes by: where this place was armed and it is the time for it, the process ends here and now.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn pass(_name: &str) {}

#[cfg(debug_assertions)]
pub use armed::{arm, pass};

#[cfg(debug_assertions)]
mod armed {
    //! The only place that is armed, once in a process.

    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ARMED: OnceLock<(String, AtomicU64)> = OnceLock::new();

    /// Ends the process the `time`th time that it comes by `name`; 1 is the first. Only the first call counts.
    pub fn arm(name: &str, time: u64) {
        ARMED.get_or_init(|| (name.to_owned(), AtomicU64::new(time)));
    }

    /// The process comes by: where this place was armed and it is the time for it, the process ends here and now.
    pub fn pass(name: &str) {
        let Some((armed, left)) = ARMED.get() else { return };
        if armed == name && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            std::process::abort();
        }
    }
}
