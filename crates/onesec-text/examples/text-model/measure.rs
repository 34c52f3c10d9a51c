//! Each set is judged by a scorer whose model was trained on all the other sets.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use onesec_text::{Score, Scorer, Strictness};

use crate::data::{self, Set};
use crate::train;

const LEVELS: [Strictness; 3] = [Strictness::Lenient, Strictness::Standard, Strictness::Strict];

/// Texts, and how many of them were called instructions at each level.
#[derive(Clone, Copy, Default)]
struct Count {
    texts: usize,
    found: [usize; LEVELS.len()],
}

/// A table in Markdown.
pub(crate) fn leave_one_out(sets: &[Set], own: &[Set], rules_only: bool, dump: bool) -> String {
    let [lenient, standard, strict] = LEVELS.map(Strictness::threshold);
    let mut table = format!(
        "Model {}, seed {}; thresholds: lenient {lenient}, standard {standard}, strict {strict}.\n\n\
         | set | texts | lenient | standard | strict |\n|---|---:|---|---|---|\n",
        Scorer::MODEL,
        train::SEED,
    );
    let mut recalls: Vec<[f64; LEVELS.len()]> = Vec::new();
    let mut rows = [String::new(), String::new()];
    let held_out = own.iter().filter(is_held_out);
    for held_out in sets.iter().chain(held_out) {
        let others: Vec<&Set> = trained_on(sets, own).filter(|set| set.name != held_out.name).collect();
        let scorer = Scorer::with_model((!rules_only).then(|| train::train(&others)));
        let counts = count(&scorer, held_out, dump);
        for (nth, (count, of)) in counts.iter().zip(["benign", "attack"]).enumerate() {
            if count.texts == 0 {
                continue;
            }
            let cells = count.found.map(|found| cell(found, count.texts)).join(" | ");
            let _ = writeln!(rows[nth], "| {} ({of}) | {} | {cells} |", held_out.name, count.texts);
            if nth == 1 {
                recalls.push(count.found.map(|found| found as f64 / count.texts as f64));
            }
        }
    }
    table.push_str("| **attacks found** | | | | |\n");
    table.push_str(&rows[1]);
    let mean = |level: usize| recalls.iter().map(|r| r[level]).sum::<f64>() / recalls.len().max(1) as f64;
    let _ = writeln!(table, "| macro recall | | {:.3} | {:.3} | {:.3} |", mean(0), mean(1), mean(2));
    table.push_str("| **benign called instructions** | | | | |\n");
    table.push_str(&rows[0]);
    table
}

/// The project's own texts that nothing is ever trained on.
const HELD_OUT: &str = "held-out";

fn is_held_out(set: &&Set) -> bool {
    set.name.starts_with(HELD_OUT)
}

/// What weights are made from.
pub(crate) fn trained_on<'s>(sets: &'s [Set], own: &'s [Set]) -> impl Iterator<Item = &'s Set> {
    sets.iter().chain(own.iter().filter(|set| !is_held_out(set)))
}

fn count(scorer: &Scorer, set: &Set, dump: bool) -> [Count; 2] {
    let mut counts = [Count::default(); 2];
    for row in &set.rows {
        let score = scorer.score(&row.text);
        let count = &mut counts[usize::from(row.attack)];
        count.texts += 1;
        for (slot, level) in count.found.iter_mut().zip(LEVELS) {
            *slot += usize::from(score.is_instruction_like(level));
        }
        if dump && row.attack != score.is_instruction_like(Strictness::Standard) {
            tell(&set.name, &row.text, row.attack, &score);
        }
    }
    counts
}

/// Tells what the scorer that is built in makes of a file of orders (`+ …`) and texts that are none (`- …`).
pub(crate) fn phrases(file: &Path) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let scorer = Scorer::new();
    let (mut texts, mut found) = ([0; 2], [0; 2]);
    for (attack, text) in data::phrases(&text) {
        let score = scorer.score(&text);
        let says = score.is_instruction_like(Strictness::Standard);
        texts[usize::from(attack)] += 1;
        found[usize::from(attack)] += usize::from(says);
        if says != attack {
            tell("", &text, attack, &score);
        }
    }
    println!(
        "{}: {} of {} attacks found, {} of {} others flagged",
        file.display(),
        found[1],
        texts[1],
        found[0],
        texts[0]
    );
    Ok(())
}

/// Tells of a text that was missed or wrongly flagged.
fn tell(of: &str, text: &str, attack: bool, score: &Score) {
    let why: Vec<String> = score
        .spans
        .iter()
        .take(4)
        .map(|s| {
            let place = text.get(s.start as usize..s.end as usize).unwrap_or_default();
            format!("{}:{}:{:?}", s.why.as_str(), s.weight, place.chars().take(90).collect::<String>())
        })
        .collect();
    let start: String = text.chars().take(200).collect();
    let kind = if attack { "MISSED" } else { "FALSE" };
    eprintln!("{kind} {} {} | {} || {}", of, score.value, start.replace('\n', " "), why.join(" ; "));
}

/// A share with its Wilson interval of 95 %.
fn cell(found: usize, of: usize) -> String {
    let (n, p, z) = (of as f64, found as f64 / of as f64, 1.96_f64);
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    format!("{p:.3} ({:.3}–{:.3})", (middle - half).max(0.0), (middle + half).min(1.0))
}
