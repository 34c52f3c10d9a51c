//! Durations and sizes as people write them.

use std::time::Duration;

/// Reads `30s`, `5m`, `12h`, `7d`, `1y` (365 days); also `250ms`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
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

/// Reads bytes: `512`, `64KiB`, `500MiB`, `20GiB`, and `KB`, `MB`, `GB` by powers of ten.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_need_a_unit_that_exists() {
        let seconds = |text| parse_duration(text).map(|d| d.as_secs());
        assert_eq!(
            [seconds("30s"), seconds("5m"), seconds("30d"), seconds("1y")].map(Option::unwrap),
            [30, 300, 2_592_000, 31_536_000]
        );
        for bad in ["", "s", "5", "5x", "-5m", "1.5h", "5 m m", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        assert_eq!(parse_size("2GiB"), Some(2 << 30));
        assert_eq!(parse_size("10 MB"), Some(10_000_000));
        assert_eq!(parse_size("10 gigs"), None);
    }
}
