//! `clock-step`: the wall clock of the machine was put forward or back.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{Body, Command};

/// Fires when the wall clock moved by more than a minute against the one that only ever runs. Our own time does not follow
/// it, so that nobody shortens a delegation or empties a window by it; what others stamp by the wall clock no longer fits.
///
/// **Blind spot**: a clock that is slewed, slowly; a step while the server does not run, but for one back.
#[derive(Debug)]
pub struct ClockStep(Descriptor);

impl ClockStep {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["CWE-367"],
            commands: true,
            stateless: true,
            blind_spot: "a clock that is slewed, slowly; a step while the server does not run, but for one back",
            mitigation: "Look after the machine's time service, then restart the server.",
            ..Descriptor::new("clock-step", Module::TokenVault, "The machine's clock was moved")
        })
    }
}

impl Default for ClockStep {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for ClockStep {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, _: &Facts<'_>, out: &mut Findings) {
        let Body::Command(Command::ClockStepped { by_micros }) = record.body else {
            return;
        };
        let seconds = by_micros / 1_000_000;
        let way = if seconds < 0 { "behind" } else { "ahead of" };
        let reason = format!("the wall clock is {} s {way} where ours expects it", seconds.unsigned_abs());
        out.report(Finding::about(record, Severity::Medium, reason).with("seconds", seconds));
    }
}
