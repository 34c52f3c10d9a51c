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

/// Reads at most `cap` bytes. What breaks off or is longer comes back incomplete.
pub(crate) async fn read_capped(mut response: reqwest::Response, cap: usize) -> Result<Body, TimedOut> {
    // Reserved at once: growing would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(cap));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= cap => bytes.extend_from_slice(&chunk),
            Ok(Some(_)) => return Ok(Body { bytes, complete: false }),
            Ok(None) => return Ok(Body { bytes, complete: true }),
            Err(error) if error.is_timeout() => return Err(TimedOut),
            Err(_) => return Ok(Body { bytes, complete: false }),
        }
    }
}
