//! Logistic regression by stochastic gradient descent, repeatable by its seed.

use onesec_text::model::{CONCEPTS, GRAMS, Model, Steps, Window};

use crate::data::{Row, Set};

/// The seed of every shuffle.
pub(crate) const SEED: u64 = 20_261_127;
const EPOCHS: usize = 60;
const ROUNDS: usize = 2;
const RATE: f32 = 0.5;
const DECAY: f32 = 1e-4;
/// Parts that texts are divided into, by family, to find out what the model makes of texts it has not seen.
const FOLDS: u64 = 4;
/// The share of the project's own benign texts, unseen, that may be over zero: all are full of words of attacks.
const OVER_ZERO: f64 = 0.04;
/// The share of them that may be over one.
const OVER_ONE: f64 = 0.01;

/// Weights while they are fitted: of n-grams, then of concepts.
type Weights = Vec<f32>;

/// One window.
struct Example<'w> {
    window: &'w Window,
    target: f32,
    weight: f32,
}

/// Trains on `sets` and calibrates on benign texts left out by family.
pub(crate) fn train(sets: &[&Set]) -> Model {
    let weights = fit(sets, None, |_| true);
    let mut unseen = Vec::new();
    for fold in 0..FOLDS {
        let part = fit(sets, Some(&weights), |row| row.family % FOLDS != fold);
        let hard = sets.iter().filter(|set| set.own).flat_map(|set| &set.rows);
        let left_out = hard.filter(|row| !row.attack && row.family % FOLDS == fold);
        unseen.extend(left_out.map(|row| row.windows.iter().map(|w| logit(&part, w)).fold(f32::MIN, f32::max)));
    }
    unseen.sort_by(f32::total_cmp);
    let over = |share: f64| unseen.get((unseen.len() as f64 * (1.0 - share)) as usize).copied().unwrap_or(0.0);
    let (zero, one) = (over(OVER_ZERO), over(OVER_ONE));
    let (grams, concepts) = weights.split_at(GRAMS);
    Model { grams: quantise(grams), concepts: quantise(concepts), bias: -zero, slope: 1.0 / (one - zero).max(0.1) }
}

/// Where the weights of the features of `window` are, and what each counts.
fn features(window: &Window) -> impl Iterator<Item = (usize, f32)> {
    let share = |count: usize| 1.0 / (count.max(1) as f32).sqrt();
    let (gram, concept) = (share(window.grams.len()), share(window.concepts.len()));
    let grams = window.grams.iter().map(move |bucket| (*bucket as usize, gram));
    grams.chain(window.concepts.iter().map(move |bucket| (GRAMS + *bucket as usize, concept)))
}

fn logit(weights: &[f32], window: &Window) -> f32 {
    features(window).map(|(at, share)| weights[at] * share).sum()
}

/// Fits weights to the rows that `keep` lets through. Which window of an attack is the attack is not known: it is the one
/// that `known` weights find the most likely, or, round by round, those of the round before.
fn fit(sets: &[&Set], known: Option<&Weights>, keep: impl Fn(&Row) -> bool) -> Weights {
    if let Some(known) = known {
        return descend(&examples(sets, &keep, Some(known)));
    }
    let mut weights = None;
    for _ in 0..ROUNDS {
        let examples = examples(sets, &keep, weights.as_deref());
        weights = Some(descend(&examples));
    }
    weights.unwrap_or_default()
}

fn examples<'w>(sets: &[&'w Set], keep: &impl Fn(&Row) -> bool, weights: Option<&[f32]>) -> Vec<Example<'w>> {
    let mut found = Vec::new();
    for set in sets {
        let rows: Vec<&Row> = set.rows.iter().filter(|row| keep(row)).collect();
        let attacks = rows.iter().filter(|row| row.attack).count().max(1) as f32;
        for row in rows {
            let windows = &row.windows;
            if !row.attack {
                let weight = 1.0 / (windows.len().max(1) as f32).sqrt();
                found.extend(windows.iter().map(|window| Example { window, target: 0.0, weight }));
                continue;
            }
            // Large sets of attacks are of few templates: they count less.
            let weight = (300.0 / attacks).min(3.0).sqrt();
            match weights {
                Some(weights) => {
                    let likely = windows.iter().max_by(|a, b| logit(weights, a).total_cmp(&logit(weights, b)));
                    found.extend(likely.map(|window| Example { window, target: 1.0, weight }));
                }
                None if windows.len() <= 3 => {
                    let weight = weight / (windows.len().max(1) as f32);
                    found.extend(windows.iter().map(|window| Example { window, target: 1.0, weight }));
                }
                None => {}
            }
        }
    }
    found
}

/// AdaGrad over shuffled examples.
fn descend(examples: &[Example<'_>]) -> Weights {
    let mut weights = vec![0.0_f32; GRAMS + CONCEPTS];
    let mut squares = vec![1e-3_f32; GRAMS + CONCEPTS];
    let (mut bias, mut bias_square) = (0.0_f32, 1e-3_f32);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut random = SEED;
    for _ in 0..EPOCHS {
        shuffle(&mut order, &mut random);
        for at in &order {
            let example = &examples[*at];
            let p = 1.0 / (1.0 + (-(logit(&weights, example.window) + bias)).exp());
            let error = (p - example.target) * example.weight;
            for (at, share) in features(example.window) {
                let g = error * share + DECAY * weights[at];
                squares[at] += g * g;
                weights[at] -= RATE * 0.1 * g / squares[at].sqrt();
            }
            bias_square += error * error;
            bias -= RATE * 0.1 * error / bias_square.sqrt();
        }
    }
    weights
}

fn shuffle(order: &mut [usize], random: &mut u64) {
    for at in (1..order.len()).rev() {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(at, (*random >> 33) as usize % (at + 1));
    }
}

/// Eight bits per weight. The few largest are cut off, so that the others keep their resolution.
fn quantise(weights: &[f32]) -> Steps {
    let mut sizes: Vec<f32> = weights.iter().map(|w| w.abs()).filter(|size| *size > 0.0).collect();
    sizes.sort_by(f32::total_cmp);
    let largest = sizes.get(sizes.len() * 999 / 1000).copied().unwrap_or(1.0).max(1e-6);
    let scale = largest / 127.0;
    Steps { steps: weights.iter().map(|w| (w / scale).round().clamp(-127.0, 127.0) as i8).collect(), scale }
}
