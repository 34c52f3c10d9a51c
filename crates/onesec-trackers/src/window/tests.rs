//! Windows against a model that remembers everything.

use proptest::prelude::*;

use super::*;

/// Every time that ever counted.
#[derive(Default)]
struct Naive {
    counted: Vec<i64>,
    armed: bool,
}

impl Naive {
    fn count(&self, at: i64, limit: &RateLimit) -> u32 {
        let newest = self.counted.iter().copied().chain([at]).max().unwrap_or(at);
        let window = i64::try_from(limit.window.as_micros()).unwrap();
        let within = self.counted.iter().chain([&at]).filter(|&&t| t > newest - window).count();
        u32::try_from(within).unwrap().min(limit.limit + 1)
    }

    fn exceeded(&self, at: i64, limit: &RateLimit) -> bool {
        let count = self.count(at, limit);
        count > limit.limit || (self.armed && count > (limit.limit * 6 / 10).max(1))
    }
}

fn limits() -> impl Strategy<Value = RateLimit> {
    // Small windows are kept tidy; large ones shed half at a time.
    let sizes = prop_oneof![(0_u32..12, 1_u64..400), (30_u32..90, 900_u64..3_000)];
    sizes.prop_map(|(limit, secs)| RateLimit { limit, window: Duration::from_secs(secs) })
}

proptest! {
    #[test]
    fn exact_for_any_order_and_spacing(
        limit in limits(),
        steps in prop::collection::vec((0_i64..60_000_000, 0_i64..120_000_000, any::<bool>()), 1..250),
        refuse in any::<bool>(),
    ) {
        let (mut window, mut naive, mut clock) = (Window::default(), Naive::default(), 1_000_000_000);
        for (step, disorder, counts) in steps {
            clock += step;
            let at = clock - disorder;
            let rate = window.rate(Timestamp::from_micros(at), true, &limit);
            prop_assert_eq!(rate.count, naive.count(at, &limit));
            prop_assert_eq!(rate.exceeded, naive.exceeded(at, &limit));
            let counts = if refuse { !rate.exceeded } else { counts };
            window.settle(Timestamp::from_micros(at), rate.exceeded, counts.then_some(&limit));
            naive.armed = rate.exceeded;
            if counts {
                naive.counted.push(at);
            }
            let most = limit.limit as usize + 1;
            let bound = if most < SMALL { most } else { 2 * most };
            prop_assert!(window.times.len() <= bound);
        }
    }

    #[test]
    fn after_the_wait_one_passes_and_not_before(
        limit in limits(),
        steps in prop::collection::vec(0_i64..20_000_000, 1..60),
    ) {
        let (mut window, mut at) = (Window::default(), 1_000_000_000);
        for step in steps {
            at += step;
            let now = Timestamp::from_micros(at);
            let rate = window.rate(now, true, &limit);
            window.settle(now, rate.exceeded, (!rate.exceeded).then_some(&limit));
            if rate.exceeded && limit.limit > 0 {
                let then = now + rate.retry_after;
                prop_assert!(!window.rate(then, true, &limit).exceeded);
                let sooner = Timestamp::from_micros(then.as_micros() - 1);
                prop_assert!(sooner < now || window.rate(sooner, true, &limit).exceeded);
            }
        }
    }
}

#[test]
fn a_thousand_in_a_burst_are_980_refusals_and_a_retry_passes_when_the_window_has_emptied() {
    let limit = RateLimit { limit: 20, window: Duration::from_secs(300) };
    let start = Timestamp::from_secs(1_000);
    let (mut window, mut refused, mut wait) = (Window::default(), 0, Duration::ZERO);
    for _ in 0..1_000 {
        let rate = window.rate(start, true, &limit);
        window.settle(start, rate.exceeded, (!rate.exceeded).then_some(&limit));
        refused += u32::from(rate.exceeded);
        wait = rate.retry_after;
    }
    assert_eq!((refused, wait), (980, Duration::from_secs(300)));
    assert!(!window.rate(start + wait, true, &limit).exceeded);
}

#[test]
fn another_view_of_an_exchange_that_counted_does_not_exceed_anything() {
    let limit = RateLimit { limit: 2, window: Duration::from_secs(300) };
    let (mut window, at) = (Window::default(), Timestamp::from_secs(1_000));
    for _ in 0..2 {
        window.settle(at, false, Some(&limit));
    }
    assert_eq!((window.rate(at, false, &limit).count, window.rate(at, true, &limit).count), (2, 3));
    assert!(!window.rate(at, false, &limit).exceeded && window.rate(at, true, &limit).exceeded);
}
