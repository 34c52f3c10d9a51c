//! `tool-misuse`: a permitted tool is used in a way that nobody meant (ASI02).

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::ActionClass;
use onesec_telemetry::id::confusable_skeleton;
use onesec_telemetry::redact::hides_command;
use onesec_trackers::facts::{Act, Argument, BehaviourFacts, UsageFacts};

use crate::words::{first_in, one_spelling, plain};

/// When the use of a tool is misuse.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolLimits {
    /// Tools that no agent may use; a trailing `*` stands for any ending.
    pub blocked: Vec<String>,
    /// So often the same call within two minutes is a loop.
    pub repeats: u32,
}

impl Default for ToolLimits {
    fn default() -> Self {
        Self { blocked: Vec::new(), repeats: 10 }
    }
}

/// Fires on a blocked tool, on destruction that spares nothing, on targets that hold secrets, on arguments that break out
/// of where they stand, on commands that pass for secrets, on the same call over and over, and on a tool that is new to a settled agent.
///
/// **Blind spot**: misuse whose names and arguments look like ordinary use; loops whose arguments differ.
#[derive(Debug)]
pub struct ToolMisuse {
    descriptor: Descriptor,
    limits: ToolLimits,
}

impl ToolMisuse {
    /// With these limits.
    #[must_use]
    pub fn new(limits: ToolLimits) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI02"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI02 Tool Misuse and Exploitation"],
            stateless: true,
            blind_spot: "misuse whose names and arguments look like ordinary use; loops whose arguments differ",
            mitigation: "Look at the call in the evidence; narrow the mandate of the task, or block the tool.",
            ..Descriptor::new("tool-misuse", Module::AiContainment, "Tool used in a dangerous way")
        };
        Self { descriptor, limits }
    }

    fn worst(&self, record: &Record, act: &Act<'_>, behaviour: &BehaviourFacts<'_>) -> Option<Judged> {
        let usage = behaviour.usage?;
        let tainted = behaviour.taint.is_some();
        let all = [self.blocked(act), destroys(act, behaviour), reaches(act), conceals(act), breaks_out(act, tainted)];
        let of_habit = [self.loops(usage), hides(act), novel(record, usage, tainted)];
        let found = all.into_iter().chain(of_habit).flatten();
        // The first of the worst: later ones only where they are graver.
        found.reduce(|worst, next| if next.0 > worst.0 { next } else { worst })
    }

    fn blocked(&self, act: &Act<'_>) -> Option<Judged> {
        let tool = act.tool?;
        let names: Vec<_> = names_of(tool).map(confusable_skeleton).collect();
        let is = |blocked: &String| {
            let (start, open) = blocked.strip_suffix('*').map_or((blocked.as_str(), false), |start| (start, true));
            let wanted = confusable_skeleton(start);
            names.iter().any(|name| if open { name.starts_with(wanted.as_str()) } else { *name == wanted })
        };
        let why = || format!("tool `{}` is blocked", plain(tool));
        self.limits.blocked.iter().any(is).then(|| (Severity::High, why(), "blocked"))
    }

    fn loops(&self, usage: UsageFacts) -> Option<Judged> {
        let severity = match usage.repeats {
            n if n >= self.limits.repeats.saturating_mul(5) => Severity::High,
            n if n >= self.limits.repeats => Severity::Medium,
            _ => return None,
        };
        Some((severity, format!("the same call came {} times within two minutes", usage.repeats), "loop"))
    }
}

impl Detector for ToolMisuse {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        let Some(act) = &behaviour.act else { return };
        let Some((severity, reason, pattern)) = self.worst(record, act, behaviour) else { return };
        let mut finding = Finding::about(record, severity, reason).with("pattern", pattern).aspect(pattern);
        if let Some(tool) = act.tool {
            finding = finding.with("tool", tool);
        }
        if let Some(taint) = &behaviour.taint {
            finding.evidence = finding.evidence.and(taint.event);
        }
        out.report(finding);
    }
}

type Judged = (Severity, String, &'static str);

/// The names that a tool goes by: as it is called, and without the server or module that is put before it
/// (`mcp__term__shell`, `term/shell`).
fn names_of(tool: &str) -> impl Iterator<Item = &str> {
    let called = tool.trim_end_matches(['(', ')', '.', '/', ' ']);
    let ends = ["__", "/", ":", ".", "\\", "#"].into_iter().filter_map(move |sign| called.rsplit_once(sign));
    std::iter::once(called).chain(ends.map(|(_, last)| last)).filter(|name| !name.is_empty())
}

/// Destruction that spares nothing.
fn destroys(act: &Act<'_>, behaviour: &BehaviourFacts<'_>) -> Option<Judged> {
    let texts: Vec<String> = act.texts().map(one_spelling).collect();
    let command = texts.iter().find_map(|text| spares_nothing(text));
    let whole = act.classes.contains(ActionClass::Delete) && texts.iter().any(|text| is_everything(text));
    let covered = behaviour.mandate.source.is_stated() && behaviour.mandate.outside.is_none();
    let what = command.or(whole.then_some("everything"))?;
    let severity = if covered && command.is_none() { Severity::Medium } else { Severity::High };
    Some((severity, format!("the call destroys without sparing anything ({what})"), "destructive"))
}

fn spares_nothing(text: &str) -> Option<&'static str> {
    let marks = [
        "rm -rf /",
        "rm -rf ~",
        "rm -rf *",
        "rm -fr /",
        "rm -r -f /",
        "drop database",
        "drop schema",
        "mkfs.",
        "dd if=/dev/zero",
        "format c:",
        "terraform destroy",
        "kubectl delete namespace",
        "kubectl delete ns",
        "delete --all",
        "--force-delete",
        "push --force",
        "push -f ",
        "flushall",
        "dropdatabase(",
        ":(){ :|:& };:",
        "aws s3 rb",
        "s3 rm --recursive",
    ];
    let unbounded = text.split(';').any(|statement| {
        let statement = statement.trim_start();
        (statement.starts_with("delete from ") && !statement.contains(" where "))
            || statement.starts_with("drop table ")
            || statement.starts_with("truncate ")
    });
    first_in(text, &marks).or(unbounded.then_some("unbounded statement"))
}

fn is_everything(text: &str) -> bool {
    matches!(text.trim(), "*" | "/" | "all" | "/*" | "**" | "*.*" | "." | "%" | "c:/" | "everything")
        || text.trim().ends_with("/**")
}

/// Where secrets lie.
fn reaches(act: &Act<'_>) -> Option<Judged> {
    let marks = [
        "/etc/shadow",
        "/etc/passwd",
        ".ssh/id_",
        ".ssh/config",
        ".aws/credentials",
        ".config/gcloud",
        ".kube/config",
        ".git-credentials",
        ".netrc",
        ".pgpass",
        "/proc/self/environ",
        "wallet.dat",
        "login.keychain",
        "ntds.dit",
        "169.254.169.254",
        "metadata.google.internal",
        ".docker/config.json",
        "id_rsa",
        "id_ed25519",
        "/.env",
    ];
    let found = act.texts().find_map(|text| {
        let text = one_spelling(text);
        first_in(&text, &marks).or_else(|| (text.trim() == ".env").then_some(".env"))
    })?;
    Some((Severity::High, format!("the call reaches for `{found}`"), "sensitive-target"))
}

/// Arguments that break out of where they stand.
fn breaks_out(act: &Act<'_>, tainted: bool) -> Option<Judged> {
    let runs = act.classes.contains(ActionClass::Execute);
    let (argument, how) = act.arguments.iter().find_map(|argument| {
        let how = match argument.key.as_str() {
            "path" | "file" | "filename" | "file_path" | "filepath" | "dir" | "directory" | "folder" => {
                climbs(argument)
            }
            "sql" | "query" | "filter" | "where" | "id" | "name" | "username" | "user" | "search" => {
                injects_sql(argument)
            }
            "host" | "hostname" | "ip" | "domain" | "branch" | "ref" | "arg" | "args" | "url" if !runs => {
                injects_shell(argument)
            }
            _ => None,
        };
        how.map(|how| (argument, how))
    })?;
    let severity = if tainted { Severity::High } else { Severity::Medium };
    Some((severity, format!("argument `{}` breaks out of its place ({how})", plain(&argument.key)), "injection"))
}

fn climbs(argument: &Argument) -> Option<&'static str> {
    let text = argument.text.replace('\\', "/").to_lowercase();
    let climbs = text.matches("../").count() >= 2 || text.contains("..%2f") || text.contains("%2e%2e");
    (climbs || argument.text.contains('\0')).then_some("path")
}

fn injects_sql(argument: &Argument) -> Option<&'static str> {
    let text = argument.text.to_lowercase();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let quoted = [
        "' or '1'='1",
        "' or 1=1",
        "\" or 1=1",
        "' or ''='",
        "'; drop ",
        "'; delete ",
        "' union select",
        "') or ('",
        "' and sleep(",
        "'; exec ",
        "'--",
        "' --",
    ];
    let stacked = ["union select", "or 1=1 --", "; drop table", "; shutdown", "xp_cmdshell", "waitfor delay"];
    let is_statement = matches!(argument.key.as_str(), "sql" | "query");
    let marks: &[&str] = if is_statement { &stacked } else { &quoted };
    first_in(&text, marks).map(|_| "SQL")
}

fn injects_shell(argument: &Argument) -> Option<&'static str> {
    let text = &argument.text;
    let marks = ["$(", "`", "; ", "&& ", "|| ", "| sh", "\n", " --upload-pack", "--exec="];
    marks.iter().any(|mark| text.contains(mark)).then_some("shell")
}

/// A command under a name that has it redacted: nobody can judge it any more, and nothing else puts one there.
fn conceals(act: &Act<'_>) -> Option<Judged> {
    let marked = |argument: &Argument| argument.key == "looks" && argument.text == "command";
    let hidden = act.arguments.iter().any(marked) || act.texts().any(hides_command);
    let why = || "a command stands where a secret belongs".to_owned();
    hidden.then(|| (Severity::High, why(), "hidden-command"))
}

/// More arguments than anybody reads.
fn hides(act: &Act<'_>) -> Option<Judged> {
    let why = || "the call has more arguments than are read".to_owned();
    act.unread.then(|| (Severity::Medium, why(), "too-many-arguments"))
}

/// A tool that is new to an agent whose ways are known.
fn novel(record: &Record, usage: UsageFacts, tainted: bool) -> Option<Judged> {
    let settled =
        usage.acts >= SETTLED_ACTS && usage.since.is_some_and(|since| record.at.since(since) >= SETTLED_AFTER);
    let severity = if tainted { Severity::Medium } else { Severity::Low };
    (usage.known == Some(false) && settled).then(|| (severity, "the tool is new to the agent".to_owned(), "new-tool"))
}

/// An agent is settled after so many acts…
const SETTLED_ACTS: u32 = 50;
/// … and after so long.
const SETTLED_AFTER: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_goes_by_several_names() {
        let names = |tool: &'static str| names_of(tool).collect::<Vec<_>>();
        assert_eq!(names("shell"), ["shell"]);
        assert_eq!(names("mcp__term__shell"), ["mcp__term__shell", "shell"]);
        assert!(names("./shell()").contains(&"shell") && names("term:shell").contains(&"shell"));
        assert!(!names("nutshell").contains(&"shell"));
    }
}
