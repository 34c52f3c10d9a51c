//! Alerts as they come: server-sent events, each once it is durable.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use onesec_telemetry::{KeyId, TenantId};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::App;
use super::canaries::{may_know, seen};
use super::problem::Problem;
use crate::core::News;
use crate::keys::Caller;

/// One watcher.
struct Watcher {
    news: Receiver<Arc<News>>,
    stopping: watch::Receiver<bool>,
    tenant: TenantId,
    app: Arc<App>,
    key: onesec_telemetry::KeyId,
    /// May know which users are none.
    knows: bool,
    _place: Place,
}

/// Streams that are open, by key. Each holds a connection for as long as it likes: without a bound, one key that may read
/// would keep everybody else out.
#[derive(Debug, Default)]
pub(super) struct Streams(Arc<Mutex<Open>>);

type Open = HashMap<(TenantId, KeyId), usize>;

/// A stream's place; given back when it ends.
struct Place {
    streams: Arc<Mutex<Open>>,
    key: (TenantId, KeyId),
}

impl Streams {
    /// A tenant has its share of `tenants`, so that none keeps another out.
    fn place(&self, (tenant, key): (&TenantId, &KeyId), tenants: usize) -> Option<Place> {
        let mut open = self.0.lock();
        let of_tenant: usize = open.iter().filter(|((of, _), _)| of == tenant).map(|(_, count)| count).sum();
        let key = (tenant.clone(), key.clone());
        let own = open.get(&key).copied().unwrap_or_default();
        if own >= MOST_PER_KEY || of_tenant >= MOST / tenants.max(1) {
            return None;
        }
        open.insert(key.clone(), own + 1);
        Some(Place { streams: self.0.clone(), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        match open.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.key)),
        }
    }
}

/// `GET /api/v1/alerts/stream`
pub(super) async fn alerts(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let busy = || {
        let detail = "too many streams are open: at most 16 by one key";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-streams", detail).retry_after(HEARTBEAT)
    };
    let tenants = app.core.tenants().len();
    let place = app.streams.place((&caller.tenant, &caller.key), tenants).ok_or_else(busy)?;
    let watcher = Watcher {
        knows: may_know(&caller),
        news: app.core.news_of(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?,
        stopping: app.stopping.clone(),
        tenant: caller.tenant,
        key: caller.key,
        _place: place,
        app,
    };
    let stream = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat")))
}

impl Watcher {
    /// The next event; `None` when the server stops or the key was taken back.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let news = tokio::select! {
                news = self.news.recv() => news,
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            };
            let key = self.app.keys.get(&self.key)?;
            if key.expires_at.is_some_and(|end| end <= self.app.core.now()) {
                return None;
            }
            match news {
                Ok(news) if news.tenant == self.tenant => return Some(alert(&news, self.knows)),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    return Some(Event::default().event("lagged").data(json!({"missed": missed}).to_string()));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn alert(news: &News, knows: bool) -> Event {
    let mut data = json!(seen(news.alert.clone(), knows));
    if let Value::Object(members) = &mut data {
        members.insert("change".into(), news.change.as_str().into());
    }
    Event::default().event("alert").id(news.alert.id.as_str()).data(data.to_string())
}

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Streams of one key.
const MOST_PER_KEY: usize = 16;
/// Streams of all: a quarter of the connections that there can be.
const MOST: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_key_and_given_back() {
        let streams = Streams::default();
        let key = |name: &str| KeyId::new(name).expect("a key");
        let tenant = TenantId::default_tenant();
        let place = |name: &str| streams.place((&tenant, &key(name)), 2);
        let mut held: Vec<_> = (0..MOST_PER_KEY).map(|_| place("a").expect("room")).collect();
        assert!(place("a").is_none());
        assert!(place("b").is_some(), "given back at once");
        held.pop();
        assert!(place("a").is_some());
        let all: Vec<_> = (0..MOST).filter_map(|n| place(&format!("k{n}"))).collect();
        assert_eq!(all.len(), MOST / 2 - held.len(), "a tenant's share");
        let other = TenantId::new("acme").expect("tenant");
        assert!(streams.place((&other, &key("z")), 2).is_some(), "one tenant keeps no other out");
        drop((all, held));
        assert!(streams.0.lock().is_empty(), "nothing is kept of who left");
    }
}
