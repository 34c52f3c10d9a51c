//! A server that writes down what it is sent and answers whatever the test says.

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// One request as it arrived.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Seen {
    /// The values of a header.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// A parameter of a form body.
    pub(super) fn param(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
    }
}

pub(super) struct Stranger {
    pub(super) base_url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Stranger {
    /// `answer` gives the whole answer, head and body, to the n-th request (from 0).
    pub(super) async fn start(answer: impl Fn(usize, &Seen) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&seen);
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let request = read(&mut stream).await;
                let number = theirs.lock().len();
                let text = answer(number, &request);
                theirs.lock().push(request);
                stream.write_all(text.as_bytes()).await.expect("answered");
            }
        });
        Self { base_url, seen, server }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A whole answer over a connection that closes.
pub(super) fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{lines}\r\n{body}", body.len())
}

async fn read(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.split("\r\n");
            let line = lines.next().expect("a request line").to_owned();
            let pair = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
            let headers: Vec<(String, String)> = lines.filter_map(pair).collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            if body.len() >= length.map_or(0, |(_, value)| value.parse().expect("a length")) {
                return Seen { line, headers, body: body.to_owned() };
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.expect("readable"), 0, "a whole request");
    }
}
