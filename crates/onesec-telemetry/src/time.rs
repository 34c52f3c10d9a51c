//! Time: microseconds since 1970 in UTC, always an argument, never read from a clock here.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time with microsecond resolution. Kept as one more than the microseconds since 1970, so that an absent
/// time takes no more room than a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

/// The string or number is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time: give RFC 3339 (`2026-01-31T12:00:00Z`) or seconds since 1970")]
pub struct TimeError;

/// 9999-12-30T22:00:00.999999Z: what is later is another year in some time zone, and `jiff` neither reads nor writes it.
const MAX_MICROS: i64 = 253_402_207_200_999_999;
/// The end of the year 9999 in seconds: RFC 3339 knows no later year.
const LAST_SECOND: f64 = 253_402_300_800.0;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(NonZeroU64::MIN);
    /// The last instant there is. What people write for the rest of the year 9999, to say *never*, is read as this.
    pub const MAX: Self = Self::from_micros(MAX_MICROS);

    /// From microseconds since 1970, clamped to the years 1970 to 9999.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        let micros = if micros > MAX_MICROS { MAX_MICROS } else { micros };
        if micros < 0 { Self::EPOCH } else { Self(NonZeroU64::MIN.saturating_add(micros.unsigned_abs())) }
    }

    /// From milliseconds since 1970, clamped.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// From whole seconds since 1970, clamped.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        (self.0.get() - 1).cast_signed()
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.as_micros().div_euclid(1_000_000)
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// `duration` before this, not before 1970.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        self - duration
    }

    /// Seconds since 1970 with a fraction, as JSON numbers carry them.
    ///
    /// # Errors
    /// [`TimeError`] for what is not finite, negative or past the year 9999.
    pub fn from_secs_f64(secs: f64) -> Result<Self, TimeError> {
        // As far as a number of this size can be told from the next.
        if !(0.0..=LAST_SECOND).contains(&secs) {
            return Err(TimeError);
        }
        Ok(Self::from_micros((secs * 1_000_000.0).round() as i64))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::EPOCH
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        let micros = i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.as_micros().saturating_add(micros))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        let micros = i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.as_micros().saturating_sub(micros))
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// RFC 3339, or seconds since 1970 as a decimal number.
    fn from_str(s: &str) -> Result<Self, TimeError> {
        let s = s.trim();
        if let Ok(at) = s.parse::<jiff::Timestamp>() {
            let micros = at.as_microsecond();
            return if micros < 0 { Err(TimeError) } else { Ok(Self::from_micros(micros)) };
        }
        if is_late_in_9999(s) {
            return Ok(Self::MAX);
        }
        s.parse::<f64>().map_err(|_| TimeError).and_then(Self::from_secs_f64)
    }
}

/// Whether `text` is a time, complete with its offset, that is later than [`Timestamp::MAX`].
fn is_late_in_9999(text: &str) -> bool {
    let late = |date: jiff::civil::Date| date.year() == 9999 && date.month() == 12 && date.day() >= 30;
    let pieces = jiff::fmt::temporal::Pieces::parse(text);
    pieces.is_ok_and(|pieces| {
        late(pieces.date())
            && pieces.time().is_some()
            && pieces.offset().is_some()
            && pieces.time_zone_annotation().is_none()
    })
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.as_micros()) {
            Ok(at) => write!(f, "{at:.6}"),
            Err(_) => f.write_str("9999-12-30T22:00:00.999999Z"),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.as_micros())
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self::from_micros)
        }
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Reads a duration as people write it: `30s`, `5m`, `12h`, `7d`, `1y` (365 days); also `250ms`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let number: u64 = number.parse().ok()?;
    let seconds = match unit.trim_start() {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "y" => 365 * 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_senders_write() {
        let want = Timestamp::from_secs(1_767_225_600);
        for text in ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "1767225600", "1767225600.0"] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        for text in ["", "tomorrow", "-1", "NaN", "inf", "1e300", "2026-13-01T00:00:00Z", "1969-01-01T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimeError), "{text}");
        }
    }

    #[test]
    fn writes_rfc3339_in_utc_with_fixed_width() {
        assert_eq!(Timestamp::from_millis(1_767_225_600_250).to_string(), "2026-01-01T00:00:00.250000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T22:00:00.999999Z");
    }

    #[test]
    fn never_is_read_as_the_last_instant_and_what_is_written_is_read() {
        for never in [
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999999Z",
            "9999-12-31T23:59:59-05:00",
            "253402300799",
            "253402300799.999999",
            "9999-12-30T22:00:00.999999Z",
        ] {
            assert_eq!(never.parse(), Ok(Timestamp::MAX), "{never}");
        }
        assert_eq!(Timestamp::MAX.to_string().parse(), Ok(Timestamp::MAX));
        for none in
            ["9999-12-31", "9999-12-31T23:59:59", "9999-12-32T00:00:00Z", "253402300801", "10000-01-01T00:00:00Z"]
        {
            assert_eq!(none.parse::<Timestamp>(), Err(TimeError), "{none}");
        }
    }

    #[test]
    fn an_absent_time_takes_no_more_room() {
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<Timestamp>());
        for micros in [0, 1, 1_767_225_600_000_000, MAX_MICROS] {
            assert_eq!(Timestamp::from_micros(micros).as_micros(), micros);
        }
    }

    #[test]
    fn never_leaves_its_range() {
        assert_eq!(Timestamp::EPOCH - Duration::from_secs(1), Timestamp::EPOCH);
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn durations_need_a_unit_that_exists() {
        let seconds = |text| parse_duration(text).map(|d| d.as_secs());
        assert_eq!(
            [seconds("30s"), seconds("5m"), seconds("30d"), seconds("1y")].map(Option::unwrap),
            [30, 300, 2_592_000, 31_536_000]
        );
        for bad in ["", "s", "5", "5x", "-5m", "1.5h", "5 m m", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
