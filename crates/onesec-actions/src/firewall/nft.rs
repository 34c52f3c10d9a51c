//! `nft` as a child process: JSON in, JSON out, nothing of our environment, and a limit of time.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::rules::TABLE;

/// Where it is, and how long it may take.
#[derive(Debug, Clone)]
pub(super) struct Nft {
    path: PathBuf,
    limit: Duration,
}

impl Nft {
    /// In the places where distributions put it.
    pub(super) fn find() -> Result<Self, String> {
        let found = PLACES.iter().map(Path::new).find(|path| path.is_file());
        found.map(|path| Self::at(path, LIMIT)).ok_or_else(|| "`nft` is not installed".to_owned())
    }

    pub(super) fn at(path: &Path, limit: Duration) -> Self {
        Self { path: path.to_owned(), limit }
    }

    /// Whether it runs and may look at the tables.
    pub(super) fn probe(&self) -> Result<(), String> {
        let mut child = std::process::Command::new(&self.path)
            .args(["-j", "list", "tables"])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("`nft` cannot be started: {}", error.kind()))?;
        let steps = self.limit.as_millis() / STEP.as_millis();
        for _ in 0..=steps {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(_)) => return Err("`nft` may not list tables: it needs CAP_NET_ADMIN".to_owned()),
                Ok(None) => thread::sleep(STEP),
                Err(error) => return Err(format!("`nft` cannot be waited for: {}", error.kind())),
            }
        }
        let _ended = child.kill().and_then(|()| child.wait());
        Err(self.late())
    }

    /// Carries `commands` out, all or none.
    pub(super) async fn apply(&self, commands: &Value) -> Result<(), String> {
        let said = self.run(&["-j", "-f", "-"], &commands.to_string()).await?;
        if said.ok { Ok(()) } else { Err(format!("`nft` refused: {}", said.complaint())) }
    }

    /// Our table as it is now; absent where there is none.
    pub(super) async fn list(&self) -> Result<Option<Value>, String> {
        let said = self.run(&["-j", "list", "table", "inet", TABLE], "").await?;
        if said.ok {
            return serde_json::from_str(&said.out).map(Some).map_err(|_| "`nft` said what is not JSON".to_owned());
        }
        if said.err.contains("No such file or directory") {
            return Ok(None);
        }
        Err(format!("`nft` cannot list the table: {}", said.complaint()))
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Result<Said, String> {
        let mut child = Command::new(&self.path)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("`nft` cannot be started: {}", error.kind()))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let talk = async {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    let _unread = stdin.write_all(input.as_bytes()).await;
                }
            };
            let ((), out, err) = tokio::join!(feed, read(stdout, MOST_OUT), read(stderr, MOST_ERR));
            (child.wait().await, out, err)
        };
        let (status, out, err) = timeout(self.limit, talk).await.map_err(|_| self.late())?;
        let status = status.map_err(|error| format!("`nft` cannot be waited for: {}", error.kind()))?;
        Ok(Said { ok: status.success(), out, err })
    }

    fn late(&self) -> String {
        format!("`nft` did not end within {} s", self.limit.as_secs_f64())
    }
}

/// What one run came to.
struct Said {
    ok: bool,
    out: String,
    err: String,
}

impl Said {
    /// The first line of its complaint.
    fn complaint(&self) -> String {
        let first = self.err.lines().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
        first.chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

/// Reads at most `most` bytes: what is longer is cut, and then no JSON.
async fn read(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _broken = pipe.take(most).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const PLACES: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];
const LIMIT: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(10);
/// Both sets, full: about a hundred bytes for each element.
const MOST_OUT: u64 = 16 * 1024 * 1024;
const MOST_ERR: u64 = 4 * 1024;
