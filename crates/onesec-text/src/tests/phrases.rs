//! Orders and look-alikes, written by hand and not from the data the words and weights were tuned on.

use super::*;

/// Orders, and texts that are none.
fn read(file: &'static str) -> (Vec<&'static str>, Vec<&'static str>) {
    let of = |mark: &'static str| file.lines().filter_map(move |line| line.strip_prefix(mark)).collect();
    (of("+ "), of("- "))
}

/// At least nine of ten orders are found, and at most one of the others is taken for one.
#[track_caller]
fn check(file: &'static str) {
    let (attacks, benign) = read(file);
    assert!(attacks.len() >= 20 && benign.len() >= 20, "{} and {}", attacks.len(), benign.len());
    let tell = |text: &&str| format!("{text}\n   {:?}", scorer().score(text));
    let missed: Vec<&&str> = attacks.iter().filter(|text| !is_instruction(text)).collect();
    let wrong: Vec<&&str> = benign.iter().filter(|text| is_instruction(text)).collect();
    let told: Vec<String> = missed.iter().chain(&wrong).map(|text| tell(text)).collect();
    assert!(missed.len() * 10 <= attacks.len() && wrong.len() <= 1, "{}", told.join("\n"));
}

macro_rules! languages {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() {
            check(include_str!(concat!("phrases/", stringify!($name), ".txt")));
        })+
    };
}

languages!(en, de, fr, es, it, pt, nl, pl, ru, zh, ja, ar, hi);

/// At most one of fifty texts that merely contain the words is taken for an attack.
#[test]
fn words_alone_are_no_attack() {
    let (_, lines) = read(include_str!("phrases/benign.txt"));
    let texts: Vec<String> = lines.into_iter().map(|line| line.replace("\\n", "\n")).collect();
    assert!(texts.len() >= 150, "{}", texts.len());
    let wrong: Vec<String> = texts
        .iter()
        .filter(|text| is_instruction(text))
        .map(|text| format!("{text}\n   {:?}", scorer().score(text)))
        .collect();
    assert!(wrong.len() * 50 <= texts.len(), "{} of {}\n{}", wrong.len(), texts.len(), wrong.join("\n"));
}

#[test]
fn kinds_of_attacks() {
    check(include_str!("phrases/families.txt"));
}

#[test]
fn a_second_set() {
    check(include_str!("phrases/second.txt"));
}

/// Of texts that were written and run before the rules were adjusted to them, at most one of a hundred of the innocent
/// ones is flagged, and seven of ten attacks are found. The first run is told in `docs/text-detection.md`.
#[test]
fn a_third_set() {
    let (none, benign) = read(include_str!("phrases/third-benign.txt"));
    let (attacks, none_either) = read(include_str!("phrases/third-attacks.txt"));
    assert!(benign.len() == 200 && attacks.len() == 120 && none.is_empty() && none_either.is_empty());
    let flagged = |text: &&&str| is_instruction(&text.replace("\\n", "\n"));
    let wrong: Vec<&&str> = benign.iter().filter(flagged).collect();
    assert!(wrong.len() * 100 <= benign.len(), "{wrong:?}");
    let found = attacks.iter().filter(flagged).count();
    assert!(found * 10 >= attacks.len() * 7, "{found}");
}

/// Written when the rules were known, to break them: half of the attacks are found, one of twenty-five others is flagged.
#[test]
fn a_fourth_set() {
    let (attacks, benign) = read(include_str!("phrases/fourth.txt"));
    assert!(attacks.len() == 40 && benign.len() == 50);
    let wrong: Vec<&&str> = benign.iter().filter(|text| is_instruction(text)).collect();
    assert!(wrong.len() <= 2, "{wrong:?}");
    let found = attacks.iter().filter(|text| is_instruction(text)).count();
    assert!(found * 2 >= attacks.len(), "{found}");
}

/// Texts that no word, rule or weight was ever adjusted to: what others' texts will meet.
#[test]
fn texts_that_nothing_was_adjusted_to() {
    let (mut attacks, mut found, mut benign, mut wrong) = (0, 0, 0, 0);
    for file in [include_str!("../../texts/held-out.txt"), include_str!("../../texts/held-out-second.txt")] {
        let (plus, minus) = read(file);
        let count = |texts: &[&str]| texts.iter().filter(|text| is_instruction(&text.replace("\\n", "\n"))).count();
        (attacks, found) = (attacks + plus.len(), found + count(&plus));
        (benign, wrong) = (benign + minus.len(), wrong + count(&minus));
    }
    assert!(attacks == 300 && benign == 700, "{attacks} {benign}");
    assert!(found * 2 >= attacks, "{found} of {attacks} found");
    assert!(wrong * 50 <= benign, "{wrong} of {benign} flagged");
}
