//! Whether an English verb stands where orders stand: English writes "send" for the order, the noun and the plural.

use crate::concept::Concept::{AI, NOTEAI, REPLY, YOU};
use crate::concept::any;
use crate::lexicon::Hit;
use crate::rules::VERBS;

/// Words between a verb and what decides that are looked through.
const MOST_ADVERBS: usize = 3;
/// Bytes before the verb in which "you" makes "should send" an order.
const REACH: usize = 48;

/// Whether the verb at `start` is an order; `before` are the words found before it in its sentence.
pub(crate) fn is_order(text: &str, before: &[Hit], start: usize) -> bool {
    let mut rest = text.get(..start).unwrap_or_default().trim_end_matches(' ');
    for _ in 0..=MOST_ADVERBS {
        let (earlier, word) = split_last_word(rest);
        let reached = || {
            let near = |hit: &&Hit| hit.mask & any(&[YOU, AI, REPLY]) != 0 && hit.end + REACH >= start;
            before.iter().rev().any(|hit| near(&hit))
        };
        return match word {
            "" | "please" | "now" | "instead" | "let's" | "kindly" | "simply" | "hereby" | "agents" | "assistants" => {
                true
            }
            // "If it is wrong, then say…"
            "then" if earlier.trim_end().ends_with([',', ':']) => true,
            "and" | "or" | "then" | "but" => {
                before.iter().rev().take(12).any(|hit| hit.mask & (VERBS | any(&[YOU])) != 0)
            }
            "to" | "must" | "should" | "shall" | "will" | "can" | "may" => reached(),
            "you" => {
                let (_, modal) = split_last_word(earlier);
                matches!(modal, "can" | "could" | "would" | "will" | "should" | "must")
            }
            "always" | "never" | "only" | "just" | "also" | "silently" | "secretly" | "quietly" | "immediately"
            | "automatically" | "directly" | "again" | "first" | "next" | "covertly" | "discreetly" | "promptly"
            | "do" => {
                rest = earlier;
                continue;
            }
            // "Have your AI reply to this."
            _ => before.iter().rev().take(3).any(|hit| {
                hit.mask & NOTEAI.mask() != 0 && text.get(hit.end..start).is_some_and(|gap| gap.trim().is_empty())
            }),
        };
    }
    false
}

/// Whether what stands after a word shows that it is a name in code, or a method of HTTP.
pub(crate) fn is_code(after: &str) -> bool {
    after.starts_with(['=', '(', '`']) || after.starts_with(" /") || after.starts_with(" `/")
}

/// Whether the verb at `start` is said of somebody else ("attackers ignore…") or is a noun ("the ignore list").
pub(crate) fn is_told(text: &str, start: usize) -> bool {
    let rest = text.get(..start).unwrap_or_default();
    if !rest.ends_with(' ') {
        return false;
    }
    let (earlier, word) = split_last_word(rest);
    if word == "you" {
        let (_, asks) = split_last_word(earlier);
        return matches!(asks, "do" | "did" | "if" | "when" | "why" | "unless" | "once");
    }
    if word == "to" {
        let (_, verb) = split_last_word(earlier);
        return INTENDERS.contains(&verb);
    }
    TELLERS.contains(&word)
}

/// Words that say that the verb after them is another's, or no verb.
#[rustfmt::skip]
const TELLERS: &[&str] = &[
    "they", "we", "i", "he", "she", "who", "which", "it", "people", "attackers", "attacker", "users", "hackers",
    "scammers", "adversaries", "developers", "models", "employees", "customers", "that", "may", "might", "could",
    "would", "often", "sometimes", "did", "does", "someone", "drivers", "us", "tried", "trying", "the", "a", "an",
    "this", "of", "has", "have", "had", "been", "helps", "help", "helped", "don't", "let's", "their", "our", "my",
    "many", "some", "not",
];

/// Words that say that what follows "to" is what somebody did, meant or may do.
#[rustfmt::skip]
const INTENDERS: &[&str] = &[
    "decided", "decide", "chose", "choose", "chooses", "used", "how", "tend", "tends", "began", "agreed", "easy", "safe",
    "rude", "wise", "possible", "likely", "us", "seem", "seems", "appears", "tried", "fail", "failed", "learned",
];

/// The last word of `text`, empty where it ends with punctuation or is empty, and what stands before the word.
fn split_last_word(text: &str) -> (&str, &str) {
    let trimmed = text.trim_end_matches(' ');
    let from = trimmed
        .rfind(|c: char| !c.is_alphanumeric() && c != '\'')
        .map_or(0, |at| at + trimmed.get(at..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8));
    trimmed.split_at_checked(from).map_or((trimmed, ""), |(earlier, word)| (earlier, word.trim_matches('\'')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_do_is_told() {
        assert!(is_told("some attackers ", 15) && is_told("the ", 4));
        assert!(!is_told("please ", 7) && !is_told("", 0) && !is_told("of it. ", 7));
    }

    #[test]
    fn the_place_of_a_verb_tells_an_order() {
        let order = |text: &str| is_order(text, &[], text.len());
        for before in ["", "done. ", "please ", "and now ", "could you ", "hello: ", "just "] {
            assert!(order(before), "{before}");
        }
        for before in ["the ", "we ", "a blog ", "scripts that ", "you ", "it should "] {
            assert!(!order(before), "{before}");
        }
    }
}
