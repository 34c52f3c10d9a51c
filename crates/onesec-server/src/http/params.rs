//! Query parameters: known ones, once each, typed.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use onesec_journal::Cursor;
use onesec_telemetry::Timestamp;
use onesec_telemetry::suggest::did_you_mean;

use super::problem::Problem;

/// The parameters of one request, checked against what its route knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string. A parameter that is unknown or stands twice is refused: a filter that is silently
    /// ignored shows more than was asked for.
    pub(super) fn read(query: &str, known: &[&'static str]) -> Result<Self, Problem> {
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&name.as_ref()) && name != TENANT {
                let meant = did_you_mean(&name, known.iter().copied());
                let hint = meant.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
                return Err(Problem::bad_request("unknown-parameter", format!("unknown parameter{hint}")));
            }
            if params.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Problem::bad_request("duplicate-parameter", format!("`{name}` stands twice")));
            }
            params.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(params))
    }

    /// A value that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A value with a form, such as an identifier or a time.
    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = || Problem::bad_request("bad-parameter", format!("`{name}` has a value that is none"));
        text.parse().map(Some).map_err(|_| wrong())
    }

    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.parsed(name)
    }

    /// `limit` (default 100, at most 1000) and `cursor`.
    pub(super) fn page(&self) -> Result<(Option<Cursor>, u32), Problem> {
        let limit =
            match self.get("limit") {
                None => DEFAULT_LIMIT,
                Some(text) => text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
                    Problem::bad_request("bad-parameter", format!("`limit` must be 1 to {MAX_LIMIT}"))
                })?,
            };
        let cursor = self.get("cursor").map(Cursor::parse).transpose()?;
        Ok((cursor, limit))
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// Operators name the tenant they mean.
pub(super) const TENANT: &str = "tenant";
const DEFAULT_LIMIT: u32 = 100;
pub(super) const MAX_LIMIT: u32 = 1_000;

#[cfg(test)]
mod tests {
    use onesec_telemetry::AgentId;

    use super::*;

    fn read(query: &str) -> Result<Params, Problem> {
        Params::read(query, &["limit", "cursor", "agent_id", "since"])
    }

    #[test]
    fn paging_has_defaults_and_bounds() {
        let limit = |query: &str| read(query).expect("known").page().map(|(_, limit)| limit);
        assert_eq!(limit("").expect("default"), 100);
        assert_eq!(limit("limit=1000").expect("most"), 1_000);
        for query in ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=99999999999"] {
            assert_eq!(limit(query).expect_err(query).code(), "bad-parameter");
        }
        assert_eq!(read("cursor=zz").expect("known").page().expect_err("made up").code(), "bad-cursor");
    }

    #[test]
    fn a_filter_is_never_silently_ignored() {
        let unknown = read("agent=bot").expect_err("misspelt");
        assert_eq!(unknown.code(), "unknown-parameter");
        assert_eq!(read("limit=1&limit=2").expect_err("twice").code(), "duplicate-parameter");
        let params = read("agent_id=bot%207&since=yesterday&tenant=x").expect("known");
        assert_eq!(params.parsed::<AgentId>("agent_id").expect("id").expect("given").as_str(), "bot 7");
        assert_eq!(params.time("since").expect_err("no time").code(), "bad-parameter");
        assert!(read("agent_id=").expect("known").get("agent_id").is_none());
    }
}
