//! Alerts as they come: server-sent events, each once it is durable.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use onesec_telemetry::TenantId;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::App;
use super::canaries::{may_know, seen};
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
}

/// `GET /api/v1/alerts/stream`
pub(super) async fn alerts(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let watcher = Watcher {
        knows: may_know(&caller),
        news: app.core.news(),
        stopping: app.stopping.clone(),
        tenant: caller.tenant,
        key: caller.key,
        app,
    };
    let stream = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat"))
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
