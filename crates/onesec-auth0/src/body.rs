//! Reading an answer without trusting its length.

use zeroize::Zeroizing;

/// The body of an answer; wiped on drop, because it may hold a live token.
pub(crate) struct Body {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Whether all of it arrived within the cap.
    pub(crate) complete: bool,
}

/// The time limit ran out while reading.
pub(crate) struct TimedOut;

/// Where the length is not announced, what is reserved at first.
const FIRST_BYTES: usize = 16 * 1024;

/// Reads at most `cap` bytes. What breaks off or is longer comes back incomplete.
pub(crate) async fn read_capped(mut response: reqwest::Response, cap: usize) -> Result<Body, TimedOut> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    let mut bytes = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(FIRST_BYTES).min(cap)));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= cap => append(&mut bytes, &chunk),
            Ok(Some(_)) => return Ok(Body { bytes, complete: false }),
            Ok(None) => return Ok(Body { bytes, complete: true }),
            Err(error) if error.is_timeout() => return Err(TimedOut),
            Err(_) => return Ok(Body { bytes, complete: false }),
        }
    }
}

/// Grows by hand: a vector that grows by itself leaves copies behind that nobody wipes.
fn append(bytes: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = bytes.len() + chunk.len();
    if needed > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(bytes.capacity() * 2)));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(chunk);
}
