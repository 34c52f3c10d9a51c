//! Words from alerts are strangers' words: made harmless before they stand in somebody's chat.

use onesec_telemetry::id::is_hidden;

/// One line of at most `most` characters, without control, invisible and bidirectional characters.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most * 4));
    let (mut length, mut gap) = (0, false);
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = length > 0;
            continue;
        }
        if is_hidden(c) {
            continue;
        }
        let needed = 1 + usize::from(gap);
        if length + needed + 1 > most {
            line.push('…');
            break;
        }
        if std::mem::take(&mut gap) {
            line.push(' ');
        }
        line.push(c);
        length += needed;
    }
    line
}

/// Like [`line`], and no address in it is one that a chat turns into a link.
pub(super) fn unlinked(text: &str, most: usize) -> String {
    let text = line(text, most);
    let text = text.replace("://", "[:]//").replace("](", "] (").replace("mailto:", "mailto[:]");
    defang_www(&text)
}

/// Slack's three characters (`&`, `<`, `>`), without which there is neither mention nor link.
pub(super) fn slack(text: &str, most: usize) -> String {
    unlinked(text, most).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// For Teams: tags and markdown lose the characters that they are made of.
pub(super) fn teams(text: &str, most: usize) -> String {
    let plain = |c| match c {
        '<' => '‹',
        '>' => '›',
        '*' => '∗',
        '`' => 'ˋ',
        other => other,
    };
    unlinked(text, most).chars().map(plain).collect()
}

fn defang_www(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let after_www = out.len() >= 3 && out.get(out.len() - 3..).is_some_and(|end| end.eq_ignore_ascii_case("www"));
        if c == '.' && after_www {
            out.push_str("[.]");
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_plain_and_short() {
        for (hostile, plain) in [
            ("plain words", "plain words"),
            ("  two\r\n\tlines \u{0}", "two lines"),
            ("gpj.\u{202e}exe", "gpj.exe"),
            ("z\u{200b}e\u{2066}r\u{feff}o", "zero"),
            ("\u{1b}[31mred", "[31mred"),
            ("tag\u{e0041}s", "tags"),
            ("\u{2028}sep\u{2029}", "sep"),
            ("123456789", "123456789"),
            ("12345678901", "12345678901"),
            ("123456789012", "12345678901…"),
            ("ééééééééééééé", "ééééééééééé…"),
            ("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", "👩👩👧👩👩👧👩👩👧👩👩…"),
            ("", ""),
        ] {
            let line = line(hostile, 12);
            assert_eq!(line, plain, "{hostile:?}");
            assert!(line.chars().count() <= 12, "{hostile:?}");
        }
    }

    #[test]
    fn nothing_becomes_a_mention_a_link_or_markdown() {
        for (hostile, in_slack, in_teams) in [
            ("<!channel> hi", "&lt;!channel&gt; hi", "‹!channel› hi"),
            ("<@U012AB3CD>", "&lt;@U012AB3CD&gt;", "‹@U012AB3CD›"),
            ("<!subteam^S1|x>", "&lt;!subteam^S1|x&gt;", "‹!subteam^S1|x›"),
            ("a & b &lt;", "a &amp; b &amp;lt;", "a & b &lt;"),
            ("<https://evil.example|ok>", "&lt;https[:]//evil.example|ok&gt;", "‹https[:]//evil.example|ok›"),
            ("[ok](https://evil.example)", "[ok] (https[:]//evil.example)", "[ok] (https[:]//evil.example)"),
            ("![x](data:a)", "![x] (data:a)", "![x] (data:a)"),
            ("WWW.evil.example", "WWW[.]evil.example", "WWW[.]evil.example"),
            ("mailto:a@b.example", "mailto[:]a@b.example", "mailto[:]a@b.example"),
            ("**bold** `code`", "**bold** `code`", "∗∗bold∗∗ ˋcodeˋ"),
            ("<at>Everyone</at>", "&lt;at&gt;Everyone&lt;/at&gt;", "‹at›Everyone‹/at›"),
            ("h\u{200b}ttps:\u{2060}//evil", "https[:]//evil", "https[:]//evil"),
        ] {
            assert_eq!(slack(hostile, 100), in_slack, "{hostile}");
            assert_eq!(teams(hostile, 100), in_teams, "{hostile}");
        }
    }
}
