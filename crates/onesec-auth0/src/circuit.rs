//! A circuit breaker: small, pure, with time as an argument.

use std::time::Duration;

use onesec_telemetry::Timestamp;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct CircuitSettings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open at first; doubles with each failed probe.
    pub cooldown: Duration,
    /// The longest it stays open.
    pub max_cooldown: Duration,
}

impl Default for CircuitSettings {
    fn default() -> Self {
        Self { failures: 5, cooldown: Duration::from_secs(5), max_cooldown: Duration::from_secs(60) }
    }
}

/// How a permitted request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Upstream answered sensibly, be it with a refusal.
    Healthy,
    /// Upstream is down.
    Failed,
    /// Nobody waited for the end.
    Abandoned,
}

/// Leave to send one request; to be given back with its outcome.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit must be given back with `Circuit::report`"]
pub struct Permit {
    epoch: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Timestamp,
    },
    /// One probe is under way.
    Probing,
}

/// Closed, open, or probing with a single request.
#[derive(Debug)]
pub struct Circuit {
    settings: CircuitSettings,
    state: State,
    cooldown: Duration,
    /// Counts changes of state: what a request from before a change reports says nothing about now.
    epoch: u64,
}

impl Circuit {
    /// Closed.
    #[must_use]
    pub const fn new(settings: CircuitSettings) -> Self {
        Self { settings, state: State::Closed { failures: 0 }, cooldown: settings.cooldown, epoch: 0 }
    }

    /// Asks for leave to send.
    ///
    /// # Errors
    /// How long to wait, where it is open or a probe is under way.
    pub fn admit(&mut self, now: Timestamp) -> Result<Permit, Duration> {
        match self.state {
            State::Closed { .. } => {}
            State::Open { until } if until > now => return Err(until.since(now)),
            State::Open { .. } => self.enter(State::Probing),
            State::Probing => return Err(self.settings.cooldown),
        }
        Ok(Permit { epoch: self.epoch })
    }

    /// Gives a permit back.
    pub fn report(&mut self, permit: Permit, outcome: Outcome, now: Timestamp) {
        if permit.epoch != self.epoch {
            return;
        }
        match (self.state, outcome) {
            (State::Closed { .. }, Outcome::Healthy) => self.state = State::Closed { failures: 0 },
            (State::Closed { failures }, Outcome::Failed) if failures + 1 < self.settings.failures => {
                self.state = State::Closed { failures: failures + 1 };
            }
            (State::Closed { .. }, Outcome::Failed) => self.open(now, self.settings.cooldown),
            (State::Probing, Outcome::Healthy) => self.enter(State::Closed { failures: 0 }),
            (State::Probing, Outcome::Failed) => {
                self.open(now, self.cooldown.saturating_mul(2).min(self.settings.max_cooldown));
            }
            // The probe told nothing: the next request may try.
            (State::Probing, Outcome::Abandoned) => self.enter(State::Open { until: now }),
            (State::Closed { .. } | State::Open { .. }, _) => {}
        }
    }

    /// Whether it lets requests through freely.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    fn open(&mut self, now: Timestamp, cooldown: Duration) {
        self.cooldown = cooldown;
        self.enter(State::Open { until: now + cooldown });
    }

    fn enter(&mut self, state: State) {
        self.epoch += 1;
        self.state = state;
    }
}

#[cfg(test)]
mod tests;
