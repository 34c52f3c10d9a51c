//! When to try again: exponential backoff with full jitter, and what the receiver asks for.

use std::time::Duration;

use onesec_telemetry::Timestamp;

/// The most attempts at one message.
pub(super) const MOST_ATTEMPTS: u64 = 10;
/// The longest that a receiver may ask us to wait.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(900);
const SHORTEST: Duration = Duration::from_millis(500);

/// How long to wait after attempt `attempt` (from 1). `random` is uniform over all of `u64`: full jitter, so that a
/// hundred messages that failed together do not come back together.
pub(super) fn backoff(attempt: u64, random: u64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let ceiling = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let millis = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % (millis + 1)).max(SHORTEST)
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds or a date.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are longer than the longest.
        return Some(value.parse().map_or(LONGEST_ASKED, Duration::from_secs).min(LONGEST_ASKED));
    }
    http_date(value).map(|then| then.since(now).min(LONGEST_ASKED))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7); the obsolete forms are nobody's any more.
fn http_date(text: &str) -> Option<Timestamp> {
    let mut parts = text.split(' ');
    let (_weekday, day, month, year) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (time, zone) = (parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    (zone == "GMT" && parts.next().is_none()).then(|| format!("{year}-{month:02}-{day}T{time}Z").parse().ok())?
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_to_a_ceiling_and_is_spread_over_all_of_it() {
        let ceiling = |attempt| {
            let millis = (0..64).map(|shift| backoff(attempt, u64::MAX >> shift));
            millis.max().expect("some")
        };
        for (attempt, ceiling_secs) in [(1, 2), (2, 4), (3, 8), (5, 32), (9, 512), (10, 900), (u64::MAX, 900)] {
            assert!(ceiling(attempt) <= Duration::from_secs(ceiling_secs), "{attempt}");
            let exactly = ceiling_secs * 1_000;
            assert_eq!(backoff(attempt, exactly), Duration::from_secs(ceiling_secs), "{attempt}");
            assert_eq!(backoff(attempt, exactly / 2), Duration::from_millis(exactly / 2), "{attempt}");
            assert_eq!(backoff(attempt, exactly + 1), SHORTEST, "{attempt}");
        }
    }

    #[test]
    fn receivers_may_ask_for_an_hour() {
        let now = "1994-11-06T08:49:00Z".parse().expect("time");
        let secs = Duration::from_secs;
        for (value, expected) in [
            ("0", Some(secs(0))),
            (" 120 ", Some(secs(120))),
            ("3600", Some(secs(3_600))),
            ("999999", Some(secs(3_600))),
            ("99999999999999999999999999", Some(secs(3_600))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(secs(37))),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(secs(0))),
            ("Sun, 06 Nov 2094 08:48:37 GMT", Some(secs(3_600))),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), expected, "{value}");
        }
    }
}
