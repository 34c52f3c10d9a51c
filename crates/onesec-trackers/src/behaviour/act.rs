//! What an event does, read off its kind, its names and its arguments, at the most harmful of what they say.

use onesec_telemetry::event::Json;
use onesec_telemetry::{ActionClass, ActionSet, Details, Event, Name, Text};
use serde_json::Value;

use super::sql;
use super::words::{is_question, is_thing, joins, ruins, verb, words};
use crate::facts::{Act, Argument};

/// What `event` does; `None` where it is no act.
pub(crate) fn act_of(event: &Event) -> Option<Act<'_>> {
    let said = |text: &'_ Option<Text>| text.is_some();
    let act = match &event.details {
        Details::ToolCall(d) => Spoken {
            tool: Some(&d.tool),
            server: d.server.as_ref(),
            target: d.target.as_ref(),
            action: d.action.as_ref(),
            arguments: d.arguments.as_ref(),
            done: said(&d.result) || d.status.is_some(),
        }
        .act(),
        Details::FunctionCall(d) => Spoken {
            tool: Some(&d.tool),
            server: d.server.as_ref(),
            target: d.target.as_ref(),
            action: d.action.as_ref(),
            arguments: d.arguments.as_ref(),
            done: said(&d.result) || d.status.is_some(),
        }
        .act(),
        Details::AgentAction(d) => Spoken {
            tool: d.tool.as_ref(),
            server: None,
            target: d.target.as_ref(),
            action: Some(&d.action),
            arguments: d.arguments.as_ref(),
            done: said(&d.result) || d.status.is_some(),
        }
        .act(),
        Details::AgentPayment(d) => Act { target: Some(d.recipient.as_str()), ..sure(ActionClass::Pay) },
        Details::X402Payment(d) => Act { target: Some(d.recipient.as_str()), ..sure(ActionClass::Pay) },
        Details::AgentWebFetch(d) => {
            let class = d.method.as_ref().map_or(ActionClass::Read, |method| of_method(method.as_str()));
            Act { target: Some(d.url.as_str()), ..sure(class) }
        }
        Details::AgentSpawn(_) => sure(ActionClass::Execute),
        Details::ConnectedAccountUsage(d) => {
            let named = d.action.as_ref().map(|action| verbs(action.as_str())).unwrap_or_default();
            let method = d.method.as_ref().map(|method| of_method(method.as_str()));
            let classes = method.map_or(named, |class| named.with(class));
            Act { target: d.resource.as_ref().map(Text::as_str), call: false, ..sealed(classes) }
        }
        // A token is asked for: what it allows is judged by its scopes.
        Details::TokenExchange(_) => Act { call: false, ..sure(ActionClass::Read) },
        _ => return None,
    };
    Some(act)
}

/// What the kinds have in common that call something.
struct Spoken<'a> {
    tool: Option<&'a Name>,
    server: Option<&'a Name>,
    target: Option<&'a Text>,
    action: Option<&'a Text>,
    arguments: Option<&'a Json>,
    done: bool,
}

impl<'a> Spoken<'a> {
    fn act(self) -> Act<'a> {
        let arguments = self.arguments.map(strings_of).unwrap_or_default();
        let mut classes = self.tool.map(|tool| verbs(tool.as_str())).unwrap_or_default();
        if let Some(action) = self.action {
            classes = classes.union(verbs(action.as_str()));
        }
        let tool = self.tool.map(Name::as_str);
        let named = arguments.iter().filter_map(|argument| of_argument(argument, classes));
        classes = named.fold(classes, ActionSet::union);
        if classes.is_empty() && arguments.iter().any(|argument| is_recipient(&argument.key)) {
            classes = classes.with(ActionClass::Send);
        }
        let runs = classes.contains(ActionClass::Execute);
        let unread = arguments.len() >= MOST_STRINGS || arguments.iter().any(|a| a.cut && (runs || is_run(&a.key)));
        Act {
            tool,
            server: self.server.map(Name::as_str),
            target: self.target.map(Text::as_str),
            arguments,
            unread,
            done: self.done,
            ..sealed(classes)
        }
    }
}

const fn sure<'a>(class: ActionClass) -> Act<'a> {
    sealed(ActionSet::EMPTY.with(class))
}

/// What nothing is known of might change something.
const fn sealed<'a>(classes: ActionSet) -> Act<'a> {
    let certain = !classes.is_empty();
    let classes = if certain { classes } else { ActionSet::EMPTY.with(ActionClass::Write) };
    Act {
        classes,
        certain,
        tool: None,
        server: None,
        target: None,
        arguments: Vec::new(),
        unread: false,
        call: true,
        done: false,
    }
}

/// What the name says: the first verb of each of its parts, or all of them where they are joined.
fn verbs(name: &str) -> ActionSet {
    let (mut found, mut things) = (ActionSet::EMPTY, ActionSet::EMPTY);
    for part in parts(name) {
        let (verbs, named) = verbs_of_part(part);
        found = found.union(verbs);
        things = things.union(named);
    }
    // `mail.list` lists; `mail` alone sends.
    if found.is_empty() { things } else { found }
}

/// The parts of a name that were put together: `mail.read/../mail.send`, `mcp__files__delete`.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(['/', '.', ':', '\\', '#', '?', '&', ',', ';', '|', '>', '@'])
        .flat_map(|part| part.split("__"))
        .filter(|part| !part.is_empty())
}

/// The verbs of one part that count, and the first of its words that are things as often.
fn verbs_of_part(part: &str) -> (ActionSet, ActionSet) {
    let (mut found, mut thing) = (Vec::new(), None);
    let (mut all, mut question, mut plain) = (false, false, false);
    let mut last = None;
    for word in words(part) {
        all |= joins(&word);
        question |= is_question(&word);
        let says = verb(&word);
        if is_thing(&word) {
            thing = thing.or(says);
            plain = true;
        } else {
            plain |= says.is_none();
            found.extend(says);
        }
        last = says.filter(|_| ruins(&word));
    }
    let counted = if all { found.len() } else { 1 };
    let read = |class: ActionClass| if question && class == ActionClass::Execute { ActionClass::Read } else { class };
    let counts: ActionSet = found.into_iter().take(counted).map(read).collect();
    // `get_delete` is made of verbs alone: the last is what it does, too. `get_delete_log` reads a log.
    let counts = match last {
        Some(class) if !plain => counts.with(class),
        _ => counts,
    };
    (counts, thing.into_iter().collect())
}

/// What an argument says about the act.
fn of_argument(argument: &Argument, so_far: ActionSet) -> Option<ActionSet> {
    let text = argument.text.as_str();
    Some(match argument.key.as_str() {
        "op" | "operation" | "action" | "verb" | "mode" => verbs(text),
        "method" | "http_method" => ActionSet::EMPTY.with(of_method(text)),
        key if is_command(key) => ActionSet::EMPTY.with(ActionClass::Execute),
        "code" if so_far.contains(ActionClass::Execute) => so_far,
        key if key.contains("sql") || is_statement(key) => sql::classes(text, true)?,
        key if key == "q" || key == "input" || key.contains("quer") => sql::classes(text, false)?,
        _ => return None,
    })
}

/// Whether what stands under this key is carried out, and not only kept.
fn is_run(key: &str) -> bool {
    is_command(key) || is_statement(key) || key.contains("sql") || matches!(key, "code" | "query" | "url" | "path")
}

fn is_command(key: &str) -> bool {
    matches!(key, "command" | "cmd" | "script" | "shell")
}

fn is_statement(key: &str) -> bool {
    matches!(key, "statement" | "statements" | "stmt" | "ddl" | "dml")
}

fn of_method(method: &str) -> ActionClass {
    let is = |name: &str| method.trim().eq_ignore_ascii_case(name);
    if is("GET") || is("HEAD") || is("OPTIONS") {
        ActionClass::Read
    } else if is("DELETE") {
        ActionClass::Delete
    } else {
        ActionClass::Send
    }
}

/// Whether an argument under this key names somebody to whom something is sent.
pub(crate) fn is_recipient(key: &str) -> bool {
    matches!(
        key,
        "to" | "cc" | "bcc" | "recipient" | "recipients" | "email" | "address" | "channel" | "destination" | "webhook"
    )
}

/// The strings of a JSON value, with the name of the member that holds each.
pub(crate) fn strings_of(json: &Json) -> Vec<Argument> {
    let (mut found, mut left) = (Vec::new(), MOST_BYTES);
    collect("", &json.to_value(), &mut left, &mut found);
    found
}

/// `left` is how many bytes may still be taken.
fn collect(key: &str, value: &Value, left: &mut usize, found: &mut Vec<Argument>) {
    if found.len() >= MOST_STRINGS {
        return;
    }
    match value {
        Value::String(text) => {
            let kept = text.get(..text.floor_char_boundary(*left)).unwrap_or_default();
            *left -= kept.len();
            found.push(Argument { key: key.to_ascii_lowercase(), text: kept.to_owned(), cut: kept.len() < text.len() });
        }
        Value::Array(items) => items.iter().for_each(|item| collect(key, item, left, found)),
        Value::Object(members) => members.iter().for_each(|(name, member)| collect(name, member, left, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Strings of one call that are looked at.
const MOST_STRINGS: usize = 256;
/// Bytes of all of them together.
const MOST_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use onesec_telemetry::event::ToolCall;
    use onesec_telemetry::{Common, EventId};
    use serde_json::json;

    use super::*;

    fn call(tool: &str, action: Option<&str>, arguments: Value) -> Event {
        let call = ToolCall {
            tool: Name::new(tool).expect("a name"),
            target: None,
            action: action.map(Text::redacted),
            arguments: Some(Json::redacted(arguments)),
            result: None,
            status: None,
            server: None,
            approval_id: None,
        };
        Event::new(EventId::new("e").expect("an id"), Common::default(), Details::ToolCall(call))
    }

    fn classes(tool: &str, action: Option<&str>, arguments: Value) -> Vec<ActionClass> {
        act_of(&call(tool, action, arguments)).expect("an act").classes.iter().collect()
    }

    #[test]
    fn the_most_harmful_of_what_is_said() {
        use ActionClass::{Delete, Execute, Pay, Read, Send, Write};
        let none = || json!({});
        assert_eq!(classes("list_files", None, none()), [Read]);
        assert_eq!(classes("delete_file", Some("read"), none()), [Read, Delete]);
        assert_eq!(classes("file_manager", None, json!({"op": "delete", "path": "/x"})), [Delete]);
        assert_eq!(classes("gmail", Some("send"), none()), [Send]);
        assert_eq!(classes("get_delete_log", None, none()), [Read]);
        assert_eq!(classes("read_and_send", None, none()), [Read, Send]);
        assert_eq!(classes("run_query", None, json!({"sql": "select 1"})), [Read]);
        assert_eq!(classes("run_query", None, json!({"sql": "select 1; drop table t"})), [Read, Delete]);
        assert_eq!(classes("http_request", None, json!({"method": "post"})), [Send]);
        assert_eq!(classes("http_request", None, json!({"method": "GET"})), [Read]);
        assert_eq!(classes("helper", None, json!({"cmd": "ls"})), [Execute]);
        assert_eq!(classes("mail.list", None, none()), [Read]);
        assert_eq!(classes("email", None, none()), [Send]);
        assert_eq!(classes("get_order_status", None, none()), [Read]);
        assert_eq!(classes("transferFunds", None, none()), [Pay]);
        assert_eq!(classes("frobnicate", None, none()), [Write]);
        assert_eq!(classes("notes", None, json!({"to": "eve@example.org"})), [Send]);
        assert_eq!(classes("search", None, json!({"query": "update on the budget"})), [Read]);
        assert_eq!(classes("search", None, json!({"query": "/* */ drop table t"})), [Read, Delete]);
    }

    #[test]
    fn no_part_of_a_name_hides_another() {
        use ActionClass::{Delete, Execute, Read, Send};
        for (name, does) in [
            ("mail.read/../mail.send", &[Read, Send][..]),
            ("list/delete", &[Read, Delete]),
            ("mcp__files__delete", &[Delete]),
            ("get_delete", &[Read, Delete]),
            ("readDelete", &[Read, Delete]),
            ("get_delete_log", &[Read]),
            ("list_transfers", &[Read]),
            ("github/get_issue", &[Read]),
            ("calendar.events.list", &[Read]),
            ("commands.run", &[Execute]),
        ] {
            assert_eq!(classes(name, None, json!({})), does, "{name}");
        }
        let padded = "a_".repeat(60) + "delete";
        assert_eq!(classes(&padded, None, json!({})), [Delete]);
    }

    #[test]
    fn what_is_carried_out_is_read_to_its_end_or_said_to_be_unread() {
        let unread = |tool, arguments| act_of(&call(tool, None, arguments)).expect("an act").unread;
        let long = "x ".repeat(MOST_BYTES);
        assert!(unread("run", json!({"input": long})));
        assert!(unread("helper", json!({"sql": long})));
        assert!(unread("helper", json!({"a": long, "url": "http://example.org"})));
        assert!(!unread("write_file", json!({"content": long})));
        assert!(!unread("run", json!({"input": "x ".repeat(MOST_BYTES / 2)})));
    }
}
