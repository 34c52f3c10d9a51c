//! "Did you mean": the known name that a misspelt one was most likely meant to be.

/// The known name closest to `wrong`, or `None` where nothing is close enough to be worth saying.
///
/// Case, `-`, `_`, `.` and spaces do not count; beyond them one slip (a letter missing, added, wrong
/// or swapped with its neighbour) is allowed for every four letters, at most three in all. Of equally
/// close names the first given wins. A name that is known exactly is suggested as it is.
#[must_use]
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.len() > MAX_LEN_BYTES {
        return None;
    }
    let folded = fold(wrong);
    if folded.is_empty() {
        return None;
    }
    let mut best: Option<(usize, &'a str)> = None;
    for name in known {
        let candidate = fold(name);
        let slips = allowed_slips(folded.chars().count().max(candidate.chars().count()));
        if folded.len().abs_diff(candidate.len()) > slips * 4 {
            continue; // a distance is never less than the difference in length; a char is at most 4 bytes
        }
        let distance = strsim::osa_distance(&folded, &candidate);
        if distance <= slips && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Longer input is no misspelt name, and edit distance costs the product of both lengths.
const MAX_LEN_BYTES: usize = 256;

fn allowed_slips(len: usize) -> usize {
    (len / 4).clamp(usize::from(len >= 3), 3)
}

fn fold(name: &str) -> String {
    let separator = |c: &char| matches!(c, '-' | '_' | '.' | ' ');
    name.trim().chars().filter(|c| !separator(c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [&str; 8] = [
        "token_exchange",
        "token_exchange_request",
        "connected_account_link",
        "connected_account_unlink",
        "connected_account_usage",
        "tool_call",
        "oauth_grant",
        "pid",
    ];

    fn check(wrong: &str, want: Option<&str>) {
        assert_eq!(did_you_mean(wrong, KINDS), want, "{wrong:?}");
    }

    #[test]
    fn a_slip_is_understood() {
        check("Connected_Account_Usage", Some("connected_account_usage"));
        check("connected-account-usage", Some("connected_account_usage"));
        check("connectedAccountUsage", Some("connected_account_usage"));
        check("connected account unlnik", Some("connected_account_unlink"));
        check("token_exhcange", Some("token_exchange"));
        check("token_exchange_requets", Some("token_exchange_request"));
        check("toolcall", Some("tool_call"));
        check("tool_cal", Some("tool_call"));
        check("oauth_grants", Some("oauth_grant"));
        check("PID", Some("pid"));
        check("pdi", Some("pid"));
        check("tool_call", Some("tool_call"));
    }

    #[test]
    fn a_stranger_gets_no_suggestion() {
        for wrong in ["", "  ", "-_-", "x", "payment", "link", "token", "account", "exchange_token", "dog"] {
            check(wrong, None);
        }
        check(&"tool_call".repeat(100), None);
    }

    #[test]
    fn the_closest_wins_then_the_first() {
        assert_eq!(did_you_mean("github", ["gitlab", "githup", "GitHub"]), Some("GitHub"));
        assert_eq!(did_you_mean("abcx", ["abca", "abcb"]), Some("abca"));
        assert_eq!(did_you_mean("google_oauth2", ["google-oauth2", "github"]), Some("google-oauth2"));
        assert_eq!(did_you_mean("ümlaut-nam", ["umlaut-name", "ÜMLAUT-NAME"]), Some("ÜMLAUT-NAME"));
        assert_eq!(did_you_mean("x", []), None);
    }
}
