//! A small blocking HTTP/1.1 client: tests should see the bytes, and wait for nothing they did not ask for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::Value;

use crate::tls;

/// One keep-alive connection.
pub struct Http {
    address: String,
    key: Option<String>,
    tls: Option<Arc<ClientConfig>>,
    stream: Option<BufReader<Box<dyn Wire>>>,
}

/// What requests are written to.
trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status; 0 where the connection broke before there was one.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Http {
    /// For `base`, such as `http://127.0.0.1:1780`, with a key.
    #[must_use]
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let tls = base.starts_with("https://").then(|| tls::client(None));
        let address = base.split("://").last().unwrap_or_default().trim_end_matches('/').to_owned();
        Self { address, key: key.map(str::to_owned), tls, stream: None }
    }

    /// The same server, as somebody else.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { address: self.address.clone(), key: Some(key.to_owned()), tls: self.tls.clone(), stream: None }
    }

    /// The same server, with a client certificate.
    #[must_use]
    pub fn with_certificate(&self, certificate: &tls::Certificate) -> Self {
        let tls = Some(tls::client(Some(certificate)));
        Self { address: self.address.clone(), key: self.key.clone(), tls, stream: None }
    }

    fn connect(&self) -> std::io::Result<Box<dyn Wire>> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(config) => Box::new(tls::over(stream, config)?),
        })
    }

    /// `GET path`.
    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// `POST path` with JSON.
    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Any method with JSON.
    pub fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// `POST path` with a form, as OAuth clients send it.
    pub fn form(&mut self, path: &str, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Answer {
        let encoded = pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let body = encoded.collect::<Vec<_>>().join("&");
        let headers = [&[("content-type", "application/x-www-form-urlencoded")], headers].concat();
        self.send("POST", path, &headers, body.as_bytes())
    }

    /// Any request; status 0 where the connection broke.
    #[expect(clippy::too_many_arguments, reason = "the parts of a request")]
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let reused = self.stream.is_some();
        match self.try_send(method, path, headers, body) {
            Ok(answer) => answer,
            // An idle connection may have been closed: once more on a fresh one, for requests that change nothing.
            Err(_) if reused && method == "GET" => {
                self.stream = None;
                self.try_send(method, path, headers, body).unwrap_or_else(|_| self.broken())
            }
            Err(_) => self.broken(),
        }
    }

    fn broken(&mut self) -> Answer {
        self.stream = None;
        Answer { status: 0, headers: Vec::new(), body: Vec::new() }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a request")]
    fn try_send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
        let named = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !named("host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        if let (Some(key), false) = (&self.key, named("authorization")) {
            head.push_str(&format!("authorization: Bearer {key}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(self.connect()?),
        };
        let stream = self.stream.insert(stream);
        // In one piece: a server that refuses by the head alone finds a small body there, and keeps the connection.
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        stream.get_mut().write_all(&request)?;
        let answer = read_answer(stream)?;
        if answer.header("connection") == Some("close") {
            self.stream = None;
        }
        Ok(answer)
    }
}

/// RFC 3986, section 2.1.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn read_answer(stream: &mut BufReader<Box<dyn Wire>>) -> std::io::Result<Answer> {
    let broken = || std::io::Error::other("the connection broke");
    let line = read_line(stream)?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(broken)?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(broken)?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(&read_line(stream)?, 16).map_err(|_| broken())?;
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk)?;
            answer.body.extend(chunk);
            read_line(stream)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = answer.header("content-length").and_then(|l| l.parse().ok()) {
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body)?;
    }
    Ok(answer)
}

fn read_line(stream: &mut BufReader<Box<dyn Wire>>) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(std::io::Error::other("the connection ended"));
    }
    Ok(line.trim_end().to_owned())
}
