//! Bytes per second: normalisation, words and rules alone, and with the model, on texts as agents read them.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use onesec_text::{Scorer, normalise};

const MAIL: &str = "Hi David, thanks for the call this morning. I have attached the revised quote for the second quarter; \
please have a look at the delivery dates and tell me until Thursday whether they work for your team. The payment terms \
are the same as last year. If you have any questions, just reply to this message. Best regards, Joana\n";

const JSON: &str = "{\"id\":\"evt-48213\",\"kind\":\"tool_call\",\"tool\":\"calendar.list\",\"arguments\":{\"from\":\"2026-03-01\",\
\"to\":\"2026-03-08\",\"limit\":50},\"result\":[{\"title\":\"Stand-up\",\"room\":\"4.12\"},{\"title\":\"Review\",\"room\":null}]}\n";

const CHINESE: &str = "您好，感谢您上周的来信。附件是我们修改后的报价单，交货日期比原计划提前了两天。如果您对条款有任何疑问，\
请在周四之前告诉我们。祝工作顺利。\n";

/// A text of about `len` bytes.
fn text(parts: &[&str], len: usize) -> String {
    parts
        .iter()
        .copied()
        .cycle()
        .scan(0, |sum, part| {
            *sum += part.len();
            (*sum <= len).then_some(part)
        })
        .collect()
}

fn score(c: &mut Criterion) {
    let rules = Scorer::with_model(None);
    let whole = Scorer::new();
    let texts = [
        ("mixed", text(&[MAIL, JSON, MAIL, CHINESE], 32 * 1024)),
        ("mail", text(&[MAIL], 32 * 1024)),
        ("json", text(&[JSON], 32 * 1024)),
        ("chinese", text(&[CHINESE], 32 * 1024)),
        ("one-mail", MAIL.to_owned()),
    ];
    for (name, text) in &texts {
        let mut group = c.benchmark_group(format!("text/{name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("normalise", |b| b.iter(|| normalise(black_box(text))));
        group.bench_function("automaton", |b| b.iter(|| rules.score(black_box(text))));
        group.bench_function("model", |b| b.iter(|| whole.score(black_box(text))));
        group.finish();
    }
    let long = text(&[MAIL, JSON, CHINESE], 1 << 20);
    c.bench_function("text/one-mebibyte", |b| b.iter(|| whole.score(black_box(&long))));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = score
}
criterion_main!(benches);
