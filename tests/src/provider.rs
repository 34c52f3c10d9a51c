//! Google, GitHub and Slack, as far as ending a token goes: keeps what it was asked, and answers well or badly.

#![expect(clippy::expect_used, reason = "a test harness")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// How a provider behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As documented.
    Honest,
    /// Never answers.
    Hangs,
    /// 500.
    Broken,
    /// Says that it did it, and did not.
    Lies,
    /// 403.
    Refuses,
}

/// A provider that listens. Ends when dropped.
#[derive(Debug)]
pub struct Provider {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    mood: Mutex<Mood>,
    revoked: Mutex<BTreeSet<String>>,
    asked: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Provider {
    /// An honest one.
    ///
    /// # Panics
    /// Where it cannot listen.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            mood: Mutex::new(Mood::Honest),
            revoked: Mutex::default(),
            asked: Mutex::default(),
            over: AtomicBool::new(false),
        });
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

    /// From now on it is so.
    ///
    /// # Panics
    /// Never.
    pub fn mood(&self, mood: Mood) {
        *self.shared.mood.lock().expect("lock") = mood;
    }

    /// Whether it ended this token.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn ended(&self, token: &str) -> bool {
        self.shared.revoked.lock().expect("lock").contains(token)
    }

    /// `METHOD path` of everything that it was asked.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("lock").clone()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

struct Request {
    method: String,
    path: String,
    authorization: String,
    body: Vec<u8>,
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        shared.asked.lock().expect("lock").push(format!("{} {}", request.method, request.path));
        let mood = *shared.mood.lock().expect("lock");
        let (status, body) = match mood {
            Mood::Hangs => {
                while !shared.over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(50));
                }
                return Ok(());
            }
            Mood::Broken => (500, json!({})),
            Mood::Refuses => (403, json!({"error": "access_denied"})),
            Mood::Honest | Mood::Lies => answer(&request, mood == Mood::Lies, shared),
        };
        let body = if status == 204 { String::new() } else { body.to_string() };
        let head = format!("HTTP/1.1 {status} So\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
        stream.get_mut().write_all(format!("{head}\r\n\r\n{body}").as_bytes())?;
    }
    Ok(())
}

fn answer(request: &Request, lies: bool, shared: &Shared) -> (u16, Value) {
    let mut revoked = shared.revoked.lock().expect("lock");
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let mut end = |token: &str| -> bool { lies || revoked.insert(token.to_owned()) };
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/revoke") => {
            // The tenant's tokens are of letters that a form does not change.
            let token = text.strip_prefix("token=").unwrap_or_default();
            if end(token) { (200, json!({})) } else { (400, json!({"error": "invalid_token"})) }
        }
        ("POST", "/api/auth.revoke") => {
            let token = request.authorization.strip_prefix("Bearer ").unwrap_or_default().to_owned();
            if end(&token) {
                (200, json!({"ok": true, "revoked": true}))
            } else {
                (200, json!({"ok": false, "error": "token_revoked"}))
            }
        }
        (method, path) if path.starts_with("/applications/app-1/token") => {
            // `app-1:app-s3cret`.
            if request.authorization != "Basic YXBwLTE6YXBwLXMzY3JldA==" {
                return (401, json!({}));
            }
            let body: Value = serde_json::from_str(&text).unwrap_or_default();
            let token = body.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
            match method {
                "DELETE" if end(&token) => (204, json!({})),
                "POST" if !revoked.contains(&token) => (200, json!({})),
                _ => (404, json!({})),
            }
        }
        _ => (404, json!({})),
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some(Request { method, path, authorization, body }))
}
