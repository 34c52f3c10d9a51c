//! Logistic regression by stochastic gradient descent, repeatable by its seed.

use onesec_text::model::{BUCKETS, Model, features, windows};

use crate::data::{Row, Set};

/// The seed of every shuffle.
pub(crate) const SEED: u64 = 20_261_127;
const EPOCHS: usize = 6;
const ROUNDS: usize = 3;
const RATE: f32 = 0.5;
const DECAY: f32 = 2e-5;
/// Parts that benign texts are divided into, by family, to find out what the model makes of texts it has not seen.
const FOLDS: u64 = 4;
/// The share of benign texts, unseen, that may be over zero.
const OVER_ZERO: f64 = 0.01;

/// One window, as features.
struct Example {
    buckets: Vec<u32>,
    target: f32,
    weight: f32,
}

/// Trains on `sets` and calibrates on benign texts left out by family.
pub(crate) fn train(sets: &[&Set]) -> Model {
    let weights = fit(sets, |_| true);
    let mut unseen = Vec::new();
    for fold in 0..FOLDS {
        let part = fit(sets, |row| row.family % FOLDS != fold);
        let left_out = sets.iter().flat_map(|set| &set.rows).filter(|row| !row.attack && row.family % FOLDS == fold);
        unseen.extend(left_out.map(|row| highest(&part, &row.normal)));
    }
    unseen.sort_by(f32::total_cmp);
    let over = (unseen.len() as f64 * (1.0 - OVER_ZERO)) as usize;
    let bias = -unseen.get(over).copied().unwrap_or(0.0);
    quantise(&weights, bias)
}

/// The highest logit of a window, without bias.
fn highest(weights: &[f32], text: &str) -> f32 {
    windows(text)
        .into_iter()
        .filter_map(|window| text.get(window))
        .map(|window| logit(weights, &buckets(window)))
        .fold(f32::MIN, f32::max)
}

fn buckets(window: &str) -> Vec<u32> {
    let mut found = Vec::new();
    features(window, |bucket| found.push(bucket as u32));
    found
}

fn logit(weights: &[f32], buckets: &[u32]) -> f32 {
    let sum: f32 = buckets.iter().map(|b| weights[*b as usize]).sum();
    sum / (buckets.len().max(1) as f32).sqrt()
}

/// Fits weights to the rows that `keep` lets through. Which window of an attack is the attack is not known: each round
/// takes the one that the round before found the most likely.
fn fit(sets: &[&Set], keep: impl Fn(&Row) -> bool) -> Vec<f32> {
    let mut weights = vec![0.0_f32; BUCKETS];
    for round in 0..ROUNDS {
        let examples = examples(sets, &keep, (round > 0).then_some(weights.as_slice()));
        weights = descend(&examples);
    }
    weights
}

fn examples(sets: &[&Set], keep: &impl Fn(&Row) -> bool, weights: Option<&[f32]>) -> Vec<Example> {
    let mut found = Vec::new();
    for set in sets {
        let rows: Vec<&Row> = set.rows.iter().filter(|row| keep(row)).collect();
        let attacks = rows.iter().filter(|row| row.attack).count().max(1) as f32;
        for row in rows {
            let parts: Vec<&str> = windows(&row.normal).into_iter().filter_map(|w| row.normal.get(w)).collect();
            if !row.attack {
                let weight = 1.0 / (parts.len() as f32).sqrt();
                found.extend(parts.iter().map(|p| Example { buckets: buckets(p), target: 0.0, weight }));
                continue;
            }
            // Large sets of attacks are of few templates: they count less.
            let weight = (300.0 / attacks).min(3.0).sqrt();
            let chosen = match weights {
                Some(weights) => {
                    parts.iter().map(|p| buckets(p)).max_by(|a, b| logit(weights, a).total_cmp(&logit(weights, b)))
                }
                None if row.normal.len() < 400 => Some(buckets(&row.normal)),
                None => None,
            };
            found.extend(chosen.map(|buckets| Example { buckets, target: 1.0, weight }));
        }
    }
    found
}

/// AdaGrad over shuffled examples.
fn descend(examples: &[Example]) -> Vec<f32> {
    let mut weights = vec![0.0_f32; BUCKETS];
    let mut squares = vec![1e-3_f32; BUCKETS];
    let (mut bias, mut bias_square) = (0.0_f32, 1e-3_f32);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut random = SEED;
    for _ in 0..EPOCHS {
        shuffle(&mut order, &mut random);
        for at in &order {
            let example = &examples[*at];
            let norm = (example.buckets.len().max(1) as f32).sqrt();
            let p = 1.0 / (1.0 + (-(logit(&weights, &example.buckets) + bias)).exp());
            let error = (p - example.target) * example.weight;
            let gradient = error / norm;
            for bucket in &example.buckets {
                let at = *bucket as usize;
                let g = gradient + DECAY * weights[at];
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
fn quantise(weights: &[f32], bias: f32) -> Model {
    let mut sizes: Vec<f32> = weights.iter().map(|w| w.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let largest = sizes.get(sizes.len() * 999 / 1000).copied().unwrap_or(1.0).max(1e-6);
    let scale = largest / 127.0;
    let steps = weights.iter().map(|w| (w / scale).round().clamp(-127.0, 127.0) as i8).collect();
    Model::new(steps, scale, bias)
}
