//! `unexpected-execution`: code or commands are run that somebody outside had a hand in (ASI05).

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{ActionClass, Timestamp};
use onesec_trackers::facts::{Act, Argument, BehaviourFacts};

use crate::words::{first_in, one_spelling};

/// Fires where untrusted content reaches a shell or an interpreter, where something is downloaded and run in one breath,
/// where a way back in is opened, and where something is put where it will be started by itself. A settled agent that
/// runs something for the first time is MEDIUM.
///
/// **Blind spot**: what a program does once it runs; commands in encodings that no shell is seen to decode.
#[derive(Debug)]
pub struct UnexpectedExecution(Descriptor);

impl UnexpectedExecution {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI05"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI05 Unexpected Code Execution (RCE)"],
            stateless: true,
            blind_spot: "what a program does once it runs; commands in encodings that no shell is seen to decode",
            mitigation: "Stop the agent's process, look at the command in the evidence, and let the agent run things in \
                         a sandbox only.",
            ..Descriptor::new("unexpected-execution", Module::AiContainment, "Code run that should not be")
        })
    }
}

impl Default for UnexpectedExecution {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for UnexpectedExecution {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        let (Some(act), true) = (&behaviour.act, behaviour.usage.is_some()) else { return };
        let tainted = behaviour.taint.is_some();
        let judged = by_command(act, tainted).or_else(|| by_influence(act, behaviour, record.at));
        let Some((severity, reason, pattern)) = judged else { return };
        let mut finding = Finding::about(record, severity, reason).with("pattern", pattern);
        if let Some(tool) = act.tool {
            finding = finding.with("tool", tool);
        }
        if let Some(taint) = &behaviour.taint {
            finding.evidence = finding.evidence.and(taint.event);
            finding = finding.with("content_from", taint.source);
        }
        out.report(finding);
    }
}

type Judged = (Severity, &'static str, &'static str);

/// What the command itself says.
fn by_command(act: &Act<'_>, tainted: bool) -> Option<Judged> {
    let worse = |severity: Severity| if tainted { Severity::Critical } else { severity };
    let texts: Vec<String> = looked_at(act).map(one_spelling).collect();
    let any = |test: fn(&str) -> bool| texts.iter().any(|text| test(text));
    if any(opens_a_way_in) {
        return Some((Severity::Critical, "a command gives somebody outside a shell", "reverse-shell"));
    }
    if any(downloads_and_runs) {
        return Some((worse(Severity::High), "something is downloaded and run in one breath", "download-and-run"));
    }
    if act.changes() && texts.iter().any(|text| first_in(text, &START_UP).is_some()) {
        return Some((worse(Severity::High), "something is put where it will be started by itself", "start-up"));
    }
    if any(installs_from_anywhere) {
        return Some((worse(Severity::Medium), "a package is installed from no registry", "unpinned-install"));
    }
    if !act.classes.contains(ActionClass::Execute) && any(smuggles_code) {
        return Some((worse(Severity::Medium), "code stands where data belongs", "code-in-data"));
    }
    None
}

/// Who had a hand in it.
fn by_influence(act: &Act<'_>, behaviour: &BehaviourFacts<'_>, at: Timestamp) -> Option<Judged> {
    if !act.classes.contains(ActionClass::Execute) {
        return None;
    }
    let covered = behaviour.mandate.source.is_stated() && behaviour.mandate.outside.is_none();
    if let Some(taint) = &behaviour.taint {
        let reason = "code is run after untrusted content was taken in";
        return match (covered, taint.instructed.is_some()) {
            (false, true) => Some((Severity::Critical, reason, "influenced")),
            (false, false) => Some((Severity::High, reason, "influenced")),
            (true, true) => Some((Severity::Medium, reason, "influenced")),
            (true, false) => None,
        };
    }
    let usage = behaviour.usage?;
    let settled = usage.acts >= SETTLED_ACTS && usage.since.is_some_and(|since| at.since(since) >= SETTLED_AFTER);
    (usage.first_run && settled && !covered).then_some((
        Severity::Medium,
        "the agent runs something for the first time",
        "first-run",
    ))
}

/// The texts in which a command may stand. What is sent to people, and what is searched for, may speak of commands.
fn looked_at<'a>(act: &'a Act<'_>) -> impl Iterator<Item = &'a str> {
    let runs = act.classes.contains(ActionClass::Execute);
    let prose = |argument: &&Argument| match argument.key.as_str() {
        "body" | "message" | "subject" | "text" | "comment" | "description" | "summary" => true,
        "q" | "query" | "question" | "search" | "keywords" => !act.changes(),
        _ => false,
    };
    let arguments = act.arguments.iter().filter(move |argument| runs || !prose(argument));
    act.target.into_iter().chain(arguments.map(|argument| argument.text.as_str()))
}

fn downloads_and_runs(text: &str) -> bool {
    let fetches =
        ["curl ", "wget ", "iwr ", "invoke-webrequest", "downloadstring", "downloadfile", "urlopen", "fetch http"];
    let pipes = [
        "| sh", "|sh", "| bash", "|bash", "| sudo", "|sudo", "| python", "|python", "| node", "|node", "| perl",
        "| zsh",
    ];
    let runs = [
        "iex ",
        "iex(",
        "invoke-expression",
        "bash <(",
        "sh <(",
        "sh -c $(",
        "bash -c $(",
        "eval $(",
        "exec(",
        "; sh ",
        "&& sh ",
        "; bash ",
        "&& bash ",
        "chmod +x",
        "chmod 7",
        "start-process",
    ];
    let fetched = first_in(text, &fetches).is_some();
    let encoded = text.contains("base64 -d") || text.contains("base64 --decode") || text.contains("frombase64string");
    (fetched || encoded) && (first_in(text, &pipes).is_some() || first_in(text, &runs).is_some())
}

fn opens_a_way_in(text: &str) -> bool {
    let netcat = (text.contains("nc ") || text.contains("ncat ")) && (text.contains(" -e ") || text.contains(" -c "));
    let socket = text.contains("socket") && text.contains("dup2");
    let fifo = text.contains("mkfifo") && text.contains("nc ");
    text.contains("/dev/tcp/") || text.contains("/dev/udp/") || netcat || socket || fifo
}

fn installs_from_anywhere(text: &str) -> bool {
    let from = [
        "pip install git+",
        "pip install http",
        "pip3 install http",
        "npm install http",
        "npm i http",
        "npx http",
        "npm install git",
        "gem install http",
        "cargo install --git",
        "go install http",
    ];
    let index = (text.contains("pip") || text.contains("uv ")) && text.contains("--index-url http");
    first_in(text, &from).is_some() || index
}

fn smuggles_code(text: &str) -> bool {
    let marks = [
        "__reduce__",
        "__import__(",
        "os.system(",
        "subprocess.",
        "runtime.getruntime(",
        "child_process",
        "{{constructor",
        "${jndi:",
        "!!python/object",
    ];
    first_in(text, &marks).is_some()
}

/// Places from which things are started by themselves.
const START_UP: [&str; 26] = [
    ".bashrc",
    ".bash_profile",
    ".zshrc",
    "/.profile",
    "/etc/profile",
    "/etc/cron",
    "crontab",
    "/etc/systemd",
    ".config/systemd",
    "launchagents",
    "launchdaemons",
    "currentversionrun",
    "start menu/programs/startup",
    "programsstartup",
    ".git/hooks",
    "authorized_keys",
    "/etc/rc.local",
    "autostart/",
    "ld.so.preload",
    ".github/workflows",
    "sitecustomize.py",
    "usercustomize.py",
    ".vscode/tasks.json",
    "/etc/init.d",
    "schtasks /create",
    "/etc/sudoers",
];
/// An agent is settled after so many acts…
const SETTLED_ACTS: u32 = 50;
/// … and after so long.
const SETTLED_AFTER: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
