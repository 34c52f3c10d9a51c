//! Points in the time of a story: `9s`, `1h30m`, `250ms`.

use std::str::FromStr;
use std::time::Duration;

/// When something happens in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offset {
    /// `9s`: so long after the beginning.
    Since(Duration),
    /// `+9s`: so long after what stands before.
    After(Duration),
}

/// The text is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time in a story: give `9s`, `1h30m`, `250ms`, or `+9s` for after the one before")]
pub struct OffsetError(String);

impl FromStr for Offset {
    type Err = OffsetError;

    fn from_str(text: &str) -> Result<Self, OffsetError> {
        let (relative, rest) = match text.trim().strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        let duration = duration(rest).ok_or_else(|| OffsetError(text.to_owned()))?;
        Ok(if relative { Self::After(duration) } else { Self::Since(duration) })
    }
}

impl Offset {
    /// The time since the beginning, given that of what stands before.
    #[must_use]
    pub const fn resolve(self, before: Duration) -> Duration {
        match self {
            Self::Since(duration) => duration,
            Self::After(duration) => before.saturating_add(duration),
        }
    }
}

/// Numbers with units, the sum of all.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, Duration::ZERO);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at_checked(letters)?;
        let number: u64 = number.parse().ok()?;
        let micros = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return None,
        };
        sum = sum.checked_add(Duration::from_micros(number.checked_mul(micros)?))?;
        rest = tail;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_as_people_write_them() {
        for (text, want) in [("0s", 0), ("9s", 9_000_000), ("1h30m", 5_400_000_000), ("250ms", 250_000)] {
            assert_eq!(text.parse(), Ok(Offset::Since(Duration::from_micros(want))), "{text}");
        }
        assert_eq!("+5m".parse(), Ok(Offset::After(Duration::from_secs(300))));
        for text in ["", "+", "9", "s", "9x", "-1s", "9s 3", "ü"] {
            assert!(text.parse::<Offset>().is_err(), "{text}");
        }
    }
}
