//! Gives a running server a bad disk or a wrong clock.

use std::path::{Path, PathBuf};

use crate::{power, process::Start};

/// A fault that can be switched on and off while a server runs.
#[derive(Debug)]
pub struct Switch {
    control: PathBuf,
    library: PathBuf,
}

impl Switch {
    /// A switch with its files in `home`; `None` where there is no C compiler to build its library with.
    #[must_use]
    pub fn new(home: &Path) -> Option<Self> {
        let library = power::build(home, "faults")?;
        Some(Self { control: home.join("fault"), library })
    }

    /// The server, with the faults of this switch.
    #[must_use]
    pub fn of(&self, start: Start) -> Start {
        let (library, control) = (self.library.to_string_lossy(), self.control.to_string_lossy());
        start.env("LD_PRELOAD", &library).env("FAULT_SWITCH", &control)
    }

    /// From now on there is this fault, as `faults.c` lists them; the empty one is none.
    ///
    /// # Panics
    /// Where the file cannot be written.
    #[expect(clippy::expect_used, reason = "a test harness")]
    pub fn set(&self, fault: &str) {
        // In one step: half a word would be another fault.
        let fresh = self.control.with_extension("new");
        std::fs::write(&fresh, fault).expect("written");
        std::fs::rename(&fresh, &self.control).expect("renamed");
    }
}
