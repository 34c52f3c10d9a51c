//! Somebody's server for webhooks: keeps what it is sent, and answers well or badly.

#![expect(clippy::expect_used, reason = "a test harness")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use onesec_telemetry::Thumbprint;
use serde_json::Value;

use crate::eventually;

/// What a receiver does once it has read a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Never answers.
    Hang,
    /// Answers that the message should go there.
    Redirect(String),
    /// Closes the connection without a word.
    Close,
    /// Promises more bytes than it sends, and closes.
    Lie,
}

/// One message as it came.
#[derive(Debug, Clone)]
pub struct Message {
    /// The path of its request.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The bytes.
    pub body: Vec<u8>,
    /// When it was there.
    pub at: Instant,
}

impl Message {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// What it is recognised by.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it is signed with `key` as Standard Webhooks has it; written anew here, so that a fault of the sender's
    /// own code is none of this one's.
    #[must_use]
    pub fn is_signed_with(&self, key: &[u8]) -> bool {
        let mut text = format!("{}.{}.", self.id(), self.header("webhook-timestamp")).into_bytes();
        text.extend_from_slice(&self.body);
        self.header("webhook-signature") == format!("v1,{}", base64(&hmac_sha256(key, &text)))
    }
}

/// A server that listens. Ends when dropped.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    messages: std::sync::Mutex<Vec<Message>>,
    /// What comes first; the last of them stays.
    replies: std::sync::Mutex<Vec<Reply>>,
    over: AtomicBool,
}

impl Receiver {
    /// One that does this with the first messages, and the last of it with all others.
    ///
    /// # Panics
    /// Where it cannot listen.
    #[must_use]
    pub fn start(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Shared {
            messages: std::sync::Mutex::default(),
            replies: std::sync::Mutex::new(replies.to_vec()),
            over: AtomicBool::new(false),
        };
        let shared = Arc::new(shared);
        let of_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_thread.over.load(Ordering::Relaxed) {
                    break;
                }
                let shared = of_thread.clone();
                std::thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Self { port, shared }
    }

    /// Its address, with `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From now on it does this.
    ///
    /// # Panics
    /// Never.
    pub fn replies(&self, replies: &[Reply]) {
        *self.shared.replies.lock().expect("lock") = replies.to_vec();
    }

    /// Everything that came.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.shared.messages.lock().expect("lock").clone()
    }

    /// Everything that came, once it is this much.
    ///
    /// # Panics
    /// Where so much does not come.
    #[must_use]
    pub fn at_least(&self, count: usize) -> Vec<Message> {
        eventually(&format!("{count} messages"), || Some(self.messages()).filter(|all| all.len() >= count))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(message) = read(&mut stream)? {
        shared.messages.lock().expect("lock").push(message);
        let reply = {
            let mut replies = shared.replies.lock().expect("lock");
            if replies.len() > 1 { replies.remove(0) } else { replies.first().cloned().unwrap_or(Reply::Status(204)) }
        };
        let answer = match reply {
            Reply::Status(204) => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Reply::Status(status) => format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n"),
            Reply::Redirect(ref to) => format!("HTTP/1.1 307 There\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
            Reply::Lie => "HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\nshort".to_owned(),
            Reply::Close => return Ok(()),
            Reply::Hang => {
                while !shared.over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(50));
                }
                return Ok(());
            }
        };
        stream.get_mut().write_all(answer.as_bytes())?;
        if reply == Reply::Lie {
            return Ok(());
        }
    }
    Ok(())
}

fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Message>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Some(Message { path, headers, body, at: Instant::now() }))
}

/// RFC 2104.
fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    let digest = Thumbprint::of(key);
    let key = if key.len() > block.len() { digest.as_bytes().as_slice() } else { key };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let pad = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Thumbprint::of(&[pad(0x36).as_slice(), text].concat());
    Thumbprint::of(&[pad(0x5c).as_slice(), inner.as_bytes().as_slice()].concat()).as_bytes().to_vec()
}

/// RFC 4648, section 4.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = LETTERS.get((number >> (18 - 6 * at) & 63) as usize).filter(|_| at <= chunk.len());
            text.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}
