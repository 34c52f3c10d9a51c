//! Sliding windows, exact at the threshold, and the split between what was proved and what was said.

use std::time::Duration;

use onesec_telemetry::{Attribution, Record, Timestamp};
use serde::{Deserialize, Serialize};

use crate::config::RateLimit;
use crate::facts::Rate;
use crate::few::Few;

/// Times of what counted, newest last: never more than twice the limit, and those that count at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    times: Few<Timestamp>,
    /// The limit was exceeded, and the window has not emptied to the leaving threshold since.
    armed: bool,
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self { times: Few::new(), armed: false }
    }

    pub(crate) const fn is_armed(&self) -> bool {
        self.armed
    }

    /// The rate with a record at `at`: as if it counted, or as another view of one that did.
    pub(crate) fn rate(&self, at: Timestamp, counts: bool, limit: &RateLimit) -> Rate {
        let last = self.times.last().copied();
        let newest = if counts { last.map_or(at, |last| last.max(at)) } else { last.unwrap_or(at) };
        let left = has_left(newest, limit.window);
        let before = self.times.len() - self.count_left(&left);
        let within = before + usize::from(counts && !left(at));
        let count = u32::try_from(within).unwrap_or(u32::MAX).min(limit.limit.saturating_add(1));
        let exceeded = count > limit.limit || (self.armed && count > leaving(limit));
        let retry_after = if exceeded { self.wait(at, limit) } else { Duration::ZERO };
        Rate { count, limit: limit.limit, window: limit.window, exceeded, retry_after }
    }

    /// How many have left: mostly none, which the oldest tells.
    fn count_left(&self, left: impl Fn(Timestamp) -> bool) -> usize {
        match self.times.first() {
            Some(&oldest) if left(oldest) => self.times.partition_point(|&t| left(t)),
            _ => 0,
        }
    }

    /// How long until the window has emptied so far that one more is in order again.
    fn wait(&self, at: Timestamp, limit: &RateLimit) -> Duration {
        if limit.limit == 0 {
            return limit.window;
        }
        let leaving = leaving(limit) as usize;
        let must_leave = self.times.len().checked_sub(leaving).and_then(|i| self.times.get(i));
        let until = must_leave.map_or(at.as_micros(), |t| t.as_micros().saturating_add(micros(limit.window)));
        Duration::from_micros(u64::try_from(until.saturating_sub(at.as_micros())).unwrap_or(0))
    }

    /// Remembers what [`Window::rate`] said, and the record itself where it counts.
    pub(crate) fn settle(&mut self, at: Timestamp, exceeded: bool, counts: Option<&RateLimit>) {
        self.armed = exceeded;
        let Some(limit) = counts else { return };
        match self.times.last() {
            Some(last) if *last > at => self.times.insert(self.times.partition_point(|&t| t <= at), at),
            _ => self.times.push(at),
        }
        let left = has_left(self.times.last().copied().unwrap_or(at), limit.window);
        let most = limit.limit as usize + 1;
        let over = self.count_left(&left).max(self.times.len().saturating_sub(most));
        // In a large window they go half at a time, so that each record pays for one.
        if self.times.len() <= SMALL || over * 2 >= self.times.len() {
            self.times.drop_first(over);
        }
    }
}

/// What has left the window that ends at `newest`.
fn has_left(newest: Timestamp, window: Duration) -> impl Fn(Timestamp) -> bool {
    let start = newest.as_micros().saturating_sub(micros(window));
    move |at| at.as_micros() <= start
}

/// Once above the limit, in order again at this many: never none, or nothing would pass again.
const fn leaving(limit: &RateLimit) -> u32 {
    let threshold = (limit.limit as u64 * 6 / 10) as u32;
    if threshold == 0 { 1 } else { threshold }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Windows of so many are kept tidy.
const SMALL: usize = 32;

/// How far a record's word goes: what is merely reported must never teach what proved records are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Class {
    /// The gateway, Auth0 or the agent's own key.
    #[default]
    Proved,
    /// Anybody else.
    Reported,
}

impl Class {
    pub(crate) fn of(record: &Record) -> Self {
        if record.attribution() >= Attribution::OwnWord { Self::Proved } else { Self::Reported }
    }
}

/// The same statistics twice: of proved and of reported records.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Split<T> {
    proved: T,
    reported: Option<Box<T>>,
}

impl<T> Split<T> {
    pub(crate) const fn of_proved(proved: T) -> Self {
        Self { proved, reported: None }
    }
}

impl<T: Default> Split<T> {
    pub(crate) fn get(&self, class: Class) -> Option<&T> {
        match class {
            Class::Proved => Some(&self.proved),
            Class::Reported => self.reported.as_deref(),
        }
    }

    pub(crate) fn get_mut(&mut self, class: Class) -> &mut T {
        match class {
            Class::Proved => &mut self.proved,
            Class::Reported => self.reported.get_or_insert_default(),
        }
    }

    pub(crate) fn both(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.proved).chain(self.reported.as_deref())
    }
}

impl Split<Window> {
    /// The windows of an entry that is not there yet.
    pub(crate) const NONE: &Self = &Self::of_proved(Window::new());

    pub(crate) fn window(&self, class: Class) -> &Window {
        self.get(class).unwrap_or(&Self::NONE.proved)
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.both().any(Window::is_armed)
    }
}

impl Window {
    /// The window of an entry that is not there yet.
    pub(crate) const NONE: &Self = &Self::new();
}

#[cfg(test)]
mod tests;
