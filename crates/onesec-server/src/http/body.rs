//! Bodies: bounded in size and time, compressed or not.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use onesec_telemetry::limits::MAX_DECOMPRESSED_BYTES;
use onesec_telemetry::redact::redact_text;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// From `Content-Encoding`; layers upon layers are refused.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (first, second) = (values.next(), values.next());
        let text = first.map(|v| v.to_str().unwrap_or("?").trim().to_ascii_lowercase()).unwrap_or_default();
        match (text.as_str(), second) {
            ("" | "identity", None) => Ok(Self::Identity),
            ("gzip" | "x-gzip", None) => Ok(Self::Gzip),
            ("zstd", None) => Ok(Self::Zstd),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-encoding",
                "`Content-Encoding` must be gzip, zstd or absent",
            )),
        }
    }
}

/// Reads the whole body, at most `max_bytes` of it, within [`PATIENCE`].
pub(super) async fn read(body: Body, headers: &HeaderMap, max_bytes: usize) -> Result<Bytes, Problem> {
    if content_length(headers).is_some_and(|length| length > max_bytes as u64) {
        return Err(Problem::too_large(max_bytes));
    }
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, max_bytes).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(max_bytes)),
        Ok(Err(_)) => Err(Problem::bad_request("incomplete-body", "the body ended too early")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", "the body took too long")),
    }
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Unpacks a body. What would grow beyond the limit is refused as soon as it does.
pub(super) fn unpack(packed: Bytes, coding: Coding) -> Result<Bytes, Problem> {
    match coding {
        Coding::Identity => Ok(packed),
        // Several members one after the other are one body (RFC 1952, section 2.2).
        Coding::Gzip => bounded(flate2::read::MultiGzDecoder::new(packed.as_ref())),
        Coding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(packed.as_ref());
            let mut decoder = decoder.map_err(|_| undecodable())?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| undecodable())?;
            bounded(decoder)
        }
    }
}

fn bounded(decoder: impl Read) -> Result<Bytes, Problem> {
    let mut out = Vec::new();
    decoder.take(MAX_DECOMPRESSED_BYTES as u64 + 1).read_to_end(&mut out).map_err(|_| undecodable())?;
    if out.len() > MAX_DECOMPRESSED_BYTES {
        return Err(Problem::too_large(MAX_DECOMPRESSED_BYTES));
    }
    Ok(out.into())
}

fn undecodable() -> Problem {
    Problem::bad_request("undecodable", "the body cannot be decompressed")
}

/// Reads a small JSON document; unknown and repeated members are refused.
pub(super) async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    if !is_json(&parts.headers) {
        let detail = "`Content-Type` must be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail));
    }
    let bytes = read(body, &parts.headers, MAX_JSON_BYTES).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // serde's words name members; what looks like a secret does not come back.
        let detail = redact_text(&error.to_string()).into_owned();
        if error.is_data() {
            Problem::unprocessable("bad-body", detail)
        } else {
            Problem::bad_request("bad-json", detail)
        }
    })
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json")
}

/// The longest that a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bodies of everything but events.
pub(super) const MAX_JSON_BYTES: usize = 128 * 1024;
/// 8 MiB: as RFC 9659 asks of HTTP. More is memory that a client makes us take.
const ZSTD_WINDOW_LOG: u32 = 23;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::HeaderValue;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory").into()
    }

    fn zstd(bytes: &[u8]) -> Bytes {
        zstd::stream::encode_all(bytes, 3).expect("memory").into()
    }

    #[test]
    fn a_bomb_is_refused_and_an_honest_body_is_read() {
        let bomb = vec![0; MAX_DECOMPRESSED_BYTES + 1];
        for (packed, coding) in [(gzip(&bomb), Coding::Gzip), (zstd(&bomb), Coding::Zstd)] {
            assert!(packed.len() < bomb.len() / 500);
            assert_eq!(unpack(packed, coding).expect_err("bomb").status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
        let most = vec![b' '; MAX_DECOMPRESSED_BYTES];
        assert_eq!(unpack(gzip(&most), Coding::Gzip).expect("fits").len(), most.len());
        assert_eq!(unpack(zstd(b"[]"), Coding::Zstd).expect("fits"), "[]");
        let two = [gzip(b"["), gzip(b"]")].concat();
        assert_eq!(unpack(two.into(), Coding::Gzip).expect("members"), "[]");
    }

    #[test]
    fn what_is_cut_or_no_archive_is_refused() {
        let whole = gzip(b"[1, 2, 3]");
        for (bytes, coding) in [
            (whole.slice(..whole.len() - 4), Coding::Gzip),
            (Bytes::from_static(b"[]"), Coding::Gzip),
            (Bytes::from_static(b"[]"), Coding::Zstd),
        ] {
            assert_eq!(unpack(bytes, coding).expect_err("broken").code(), "undecodable");
        }
    }

    #[test]
    fn only_known_encodings_are_taken_one_at_a_time() {
        let coding = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            Coding::of(&headers).ok()
        };
        assert_eq!(coding(&[]), Some(Coding::Identity));
        assert_eq!(coding(&["GZIP"]), Some(Coding::Gzip));
        assert_eq!(coding(&["zstd"]), Some(Coding::Zstd));
        for bad in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["identity", "gzip"]] {
            assert_eq!(coding(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_with_or_without_a_length() {
        let body = || Body::from(vec![0; 100]);
        let mut headers = HeaderMap::new();
        assert_eq!(read(body(), &headers, 99).await.expect_err("long").status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(read(body(), &headers, 100).await.expect("fits").len(), 100);
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("1000"));
        assert_eq!(read(body(), &headers, 999).await.expect_err("said so").status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
