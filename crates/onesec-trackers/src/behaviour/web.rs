//! Pages that were fetched and payments that were made.

use compact_str::CompactString;
use onesec_telemetry::{Details, Record, Timestamp};
use serde::{Deserialize, Serialize};

use super::measure::Who;
use super::places::{host, places};
use super::taint::Taint;
use crate::facts::{PaymentFacts, WebFacts};
use crate::pool::Entry;
use crate::shared::{Seed, Sym, stable_hash};
use crate::trackers::State;
use crate::window::{Class, Split};

/// A page, by the hash of its address.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    key: u64,
    content: Split<Option<CompactString>>,
}

/// An agent that fetches and pays.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Surfer {
    agent: Sym,
    trades: Split<Trades>,
}

/// Where it went and whom it paid.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Trades {
    hosts: Vec<u64>,
    recipients: Vec<u64>,
    /// Sums by hour and currency, oldest first.
    paid: Vec<Paid>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Paid {
    hour: i64,
    currency: CompactString,
    sum: f64,
    count: u32,
}

/// What a fetch or payment leaves behind.
#[derive(Debug)]
pub(crate) enum NewTrade {
    Fetched { host: u64, page: Option<(u64, CompactString)> },
    Paid { hour: i64, currency: CompactString, amount: f64, recipient: u64 },
}

/// A fetch, whatever its kind.
struct Fetch<'a> {
    url: &'a str,
    hash: Option<&'a str>,
}

impl<'a> Fetch<'a> {
    fn of(details: &'a Details) -> Option<Self> {
        match details {
            Details::AgentWebFetch(d) => {
                Some(Self { url: d.url.as_str(), hash: d.content_hash.as_ref().map(AsRef::as_ref) })
            }
            Details::LlmsTxtAccess(d) => Some(Self {
                url: d.endpoint_url.as_ref().map_or(d.domain.as_str(), |url| url.as_str()),
                hash: d.content_hash.as_ref().map(AsRef::as_ref),
            }),
            Details::AgentMarkdownIngest(d) => Some(Self {
                url: d.source_url.as_ref().map(|url| url.as_str()).or(d.domain.as_ref().map(AsRef::as_ref))?,
                hash: d.content_hash.as_ref().map(AsRef::as_ref),
            }),
            _ => None,
        }
    }

    fn host(&self) -> String {
        let rest = self.url.split_once("://").map_or(self.url, |(_, rest)| rest);
        host(rest).unwrap_or_default()
    }
}

/// A payment, whatever its kind.
struct Payment<'a> {
    amount: f64,
    currency: Option<&'a str>,
    recipient: &'a str,
}

impl<'a> Payment<'a> {
    fn of(details: &'a Details) -> Option<Self> {
        let (amount, currency, recipient) = match details {
            Details::AgentPayment(d) => (d.amount, &d.currency, &d.recipient),
            Details::X402Payment(d) => (d.amount, &d.currency, &d.recipient),
            _ => return None,
        };
        Some(Self { amount, currency: currency.as_ref().map(AsRef::as_ref), recipient: recipient.as_str() })
    }

    fn currency(&self) -> CompactString {
        // A full stop or a blank makes no other currency.
        let letters = self.currency.unwrap_or_default().chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_uppercase).take(MOST_LETTERS).collect()
    }
}

impl State {
    pub(crate) fn web_facts(&self, who: Who<'_>, record: &Record) -> Option<WebFacts> {
        let fetch = Fetch::of(&record.event()?.details)?;
        let host = fetch.host();
        let place = stable_hash(&[&host]);
        let trades = self.trades(who);
        let page = self.page(stable_hash(&[fetch.url]));
        let before = page.and_then(|page| page.content.get(who.class)).and_then(Option::as_ref);
        let changed = before.zip(fetch.hash).is_some_and(|(before, hash)| before != hash);
        let named = self.taints(who, record).any(|taint| taint.names(&[place]));
        Some(WebFacts {
            changed,
            host_known: trades.is_some_and(|trades| trades.hosts.contains(&place)),
            named_by_content: named,
            host,
        })
    }

    pub(crate) fn payment_facts(&self, who: Who<'_>, record: &Record) -> Option<PaymentFacts> {
        let payment = Payment::of(&record.event()?.details)?;
        let currency = payment.currency();
        let hour = hour_of(record.at);
        let trades = self.trades(who);
        let paid = || trades.into_iter().flat_map(|trades| &trades.paid).filter(|paid| hour - paid.hour < HOURS);
        let same = paid().filter(|paid| paid.currency == currency || paid.currency == OTHERS);
        let in_day: f64 = same.map(|paid| paid.sum).sum();
        // Whatever the currency: who makes one up for each payment pays no less often.
        let in_hour = in_hour(record.at, |hour| paid().filter(|paid| paid.hour == hour).map(|paid| paid.count).sum());
        let recipient = stable_hash(&[payment.recipient]);
        let mut named = places(payment.recipient);
        named.push(recipient);
        Some(PaymentFacts {
            amount: payment.amount,
            in_day: in_day + payment.amount.max(0.0),
            in_hour: in_hour.saturating_add(1),
            recipient_known: trades.is_some_and(|trades| trades.recipients.contains(&recipient)),
            recipient_named: self.taints(who, record).any(|taint| taint.names(&named)),
            currency: currency.into_string(),
        })
    }

    /// Everything that the agent and its task took in and that may judge this record.
    fn taints<'a>(&'a self, who: Who<'_>, record: &Record) -> impl Iterator<Item = &'a Taint> + use<'a> {
        let task = record.event().and_then(|event| event.common.task_id.as_ref());
        let of_task = task.and_then(|task| self.task(task.as_str())).map(|task| &task.taint);
        let of_agent = self.conduct(who).map(|conduct| &conduct.taint);
        super::measure::sides(of_task, who.class).chain(super::measure::sides(of_agent, who.class))
    }

    fn trades(&self, who: Who<'_>) -> Option<&Trades> {
        let agent = who.agent?.as_str();
        let slot = self.behaviour.surfers.find(who.hash, |known| *known.agent == *agent)?;
        self.behaviour.surfers.get(slot)?.trades.get(who.class)
    }

    fn page(&self, key: u64) -> Option<&Page> {
        let slot =
            self.behaviour.pages.find(self.shared.seed.of_bytes(&key.to_le_bytes()), |known| known.key == key)?;
        self.behaviour.pages.get(slot)
    }

    pub(crate) fn settle_trade(&mut self, new: &NewTrade, (agent, class): (Option<&str>, Class), owner: &Option<Sym>) {
        if let NewTrade::Fetched { page: Some((key, content)), .. } = new {
            self.settle_page((*key, content), class, owner);
        }
        let Some(agent) = agent else { return };
        let hash = self.shared.seed.of(agent);
        let found = self.behaviour.surfers.find(hash, |known| *known.agent == *agent);
        let slot = found.unwrap_or_else(|| {
            let agent = self.shared.name(agent);
            let new = Surfer { agent, trades: Split::default() };
            self.behaviour.surfers.insert(hash, owner.clone(), new).0
        });
        let Some(surfer) = self.behaviour.surfers.get_mut(slot) else { return };
        let trades = surfer.trades.get_mut(class);
        match new {
            NewTrade::Fetched { host, .. } => remember(&mut trades.hosts, *host),
            NewTrade::Paid { hour, currency, amount, recipient } => {
                remember(&mut trades.recipients, *recipient);
                trades.pay((*hour, currency), *amount);
            }
        }
    }

    fn settle_page(&mut self, (key, content): (u64, &CompactString), class: Class, owner: &Option<Sym>) {
        let hash = self.shared.seed.of_bytes(&key.to_le_bytes());
        let found = self.behaviour.pages.find(hash, |known| known.key == key);
        let slot = found.unwrap_or_else(|| {
            let new = Page { key, content: Split::default() };
            self.behaviour.pages.insert(hash, owner.clone(), new).0
        });
        if let Some(page) = self.behaviour.pages.get_mut(slot) {
            *page.content.get_mut(class) = Some(content.clone());
        }
    }
}

impl NewTrade {
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let details = &record.event()?.details;
        if let Some(fetch) = Fetch::of(details) {
            let page = fetch.hash.map(|hash| (stable_hash(&[fetch.url]), CompactString::from(hash)));
            return Some(Self::Fetched { host: stable_hash(&[&fetch.host()]), page });
        }
        let payment = Payment::of(details)?;
        Some(Self::Paid {
            hour: hour_of(record.at),
            currency: payment.currency(),
            amount: payment.amount.max(0.0),
            recipient: stable_hash(&[payment.recipient]),
        })
    }
}

impl Trades {
    fn pay(&mut self, (hour, currency): (i64, &CompactString), amount: f64) {
        self.paid.retain(|paid| hour - paid.hour < HOURS);
        let full = self.paid.len() >= MOST_SUMS && currency != OTHERS;
        match self.paid.iter_mut().find(|paid| paid.hour == hour && paid.currency == *currency) {
            Some(paid) => (paid.sum, paid.count) = (paid.sum + amount, paid.count.saturating_add(1)),
            // What is forgotten would be a way round: from here on all are added up, whatever their currency.
            None if full => self.pay((hour, &CompactString::const_new(OTHERS)), amount),
            None => self.paid.push(Paid { hour, currency: currency.clone(), sum: amount, count: 1 }),
        }
    }
}

/// How many in the last sixty minutes, from what is counted by the hour: of the hour before, the part that is not over.
fn in_hour(at: Timestamp, count: impl Fn(i64) -> u32) -> u32 {
    let hour = hour_of(at);
    let left = HOUR_MICROS - at.as_micros().rem_euclid(HOUR_MICROS);
    let before = i64::from(count(hour - 1)) * left / HOUR_MICROS;
    count(hour).saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
}

fn remember(known: &mut Vec<u64>, new: u64) {
    if known.contains(&new) {
        return;
    }
    if known.len() >= MOST_PLACES {
        known.remove(0);
    }
    known.push(new);
}

fn hour_of(at: Timestamp) -> i64 {
    at.as_micros() / HOUR_MICROS
}

impl Entry for Page {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of_bytes(&self.key.to_le_bytes())
    }
}

impl Entry for Surfer {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.agent)
    }
}

/// Sums of so many hours are added up: a day, and the hour that has begun.
const HOURS: i64 = 25;
const HOUR_MICROS: i64 = 3_600_000_000;
/// Sums of one agent; a few more in all, one an hour for what no longer has a sum of its own.
const MOST_SUMS: usize = 200;
/// Letters of a currency that tell it from others.
const MOST_LETTERS: usize = 32;
/// What stands for every currency that has no sum of its own. No currency is called so.
const OTHERS: &str = "*";
/// Hosts, and recipients, of one agent.
const MOST_PLACES: usize = 64;
