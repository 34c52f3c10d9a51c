//! Auth0's log on its way to the server: as a stream delivers it.

#![expect(clippy::indexing_slicing, reason = "a test harness")]

use serde_json::{Value, json};

use crate::http::{Answer, Http};
use crate::world::World;

/// What the stream shows as `Authorization`.
pub const AUTHORIZATION: &str = "LogStream-of-the-tests-ZZQX";
/// Where it delivers.
pub const LOGS: &str = "/api/v1/auth0/logs";

/// An entry as a stream delivers it.
#[must_use]
pub fn element(entry: &Value) -> Value {
    json!({"log_id": entry["log_id"], "data": entry})
}

/// Delivers `entries`, one a line, to whoever listens at `http`.
pub fn deliver(http: &mut Http, entries: &[Value]) -> Answer {
    let lines: Vec<String> = entries.iter().map(|entry| element(entry).to_string()).collect();
    let headers = [("content-type", "application/json"), ("authorization", AUTHORIZATION)];
    http.send("POST", LOGS, &headers, lines.join("\n").as_bytes())
}

impl World {
    /// Delivers what the tenant has logged from its entry number `after` on. Every one of it is taken.
    ///
    /// # Panics
    /// Where it is not.
    pub fn stream(&self, after: usize) -> Value {
        self.deliver(&self.sim.log_entries(after))
    }

    /// Delivers these entries. Every one of it is taken.
    ///
    /// # Panics
    /// Where it is not.
    pub fn deliver(&self, entries: &[Value]) -> Value {
        let answer = deliver(&mut self.nobody(), entries);
        assert_eq!((answer.status, &answer.json()["rejected"]), (202, &json!(0)), "{}", answer.text());
        answer.json()
    }
}
