//! The real binary as a child process.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::http::Http;

/// A running server process. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    url: String,
    dir: PathBuf,
    log: Receiver<String>,
    output: Receiver<String>,
}

/// How a server process is started.
#[derive(Debug, Clone)]
pub struct Start {
    program: PathBuf,
    dir: PathBuf,
    config: Option<String>,
    env: Vec<(String, String)>,
    descriptors: Option<u32>,
}

impl Start {
    /// `program up` on a free port of loopback, with its data in `dir`.
    #[must_use]
    pub fn new(program: &str, dir: &Path) -> Self {
        Self { program: program.into(), dir: dir.to_owned(), config: None, env: Vec::new(), descriptors: None }
    }

    /// With this configuration (YAML).
    #[must_use]
    pub fn config(mut self, yaml: &str) -> Self {
        self.config = Some(yaml.to_owned());
        self
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With so many file descriptors and no more.
    #[must_use]
    pub const fn descriptors(mut self, limit: u32) -> Self {
        self.descriptors = Some(limit);
        self
    }

    fn command(&self) -> Command {
        let Some(limit) = self.descriptors else { return Command::new(&self.program) };
        // The shell sets the limit and becomes the server: the same process, to be waited for and killed.
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]).arg(&self.program);
        shell
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// Where it does not come up: the test cannot go on.
    #[must_use]
    #[expect(clippy::panic, reason = "a test harness")]
    pub fn run(&self) -> Process {
        self.try_run().unwrap_or_else(|why| panic!("{why}"))
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// What it said instead, where it does not come up.
    ///
    /// # Panics
    /// Where the program cannot be run at all.
    #[expect(clippy::expect_used, reason = "a test harness")]
    pub fn try_run(&self) -> Result<Process, String> {
        let mut command = self.command();
        command.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&self.dir);
        if let Some(yaml) = &self.config {
            let path = self.dir.join("test-config.yaml");
            std::fs::write(&path, yaml).expect("configuration written");
            command.arg("--config").arg(path);
        }
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"));
        command.envs(self.env.iter().cloned()).env("RUST_BACKTRACE", "1").env("ONESEC_ENFORCEMENT_FIREWALL", "off");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let log = lines_of(err);
        let mut first = String::new();
        let mut out = BufReader::new(out);
        drop(out.read_line(&mut first));
        let Some(url) = first.trim().strip_prefix("listening on ") else {
            drop(child.kill());
            drop(child.wait());
            // To the end: its pipe is closed by now.
            let said: Vec<String> = log.iter().collect();
            return Err(format!("the server said `{}` instead of where it listens; {}", first.trim(), said.join("\n")));
        };
        let url = url.to_owned();
        let output = lines_of(out);
        Ok(Process { child, url, dir: self.dir.clone(), log, output })
    }
}

#[expect(clippy::disallowed_methods, reason = "bounded by the life of a test's server")]
fn lines_of(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

impl Process {
    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The admin key that it wrote at its first start.
    #[must_use]
    pub fn admin_key(&self) -> String {
        std::fs::read_to_string(self.dir.join("admin.key")).unwrap_or_default().trim().to_owned()
    }

    /// A client with the admin key.
    #[must_use]
    pub fn admin(&self) -> Http {
        Http::new(&self.url, Some(&self.admin_key()))
    }

    /// What it wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// What it wrote to standard output after the address.
    #[must_use]
    pub fn output(&self) -> Vec<String> {
        self.output.try_iter().collect()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `HUP`.
    pub fn signal(&self, signal: &str) {
        drop(Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status());
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// `kill -TERM`, and its exit code, or `None` where it had to be killed after a minute.
    pub fn terminate(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        for _ in 0..600 {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.kill();
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
