//! Tasks and their mandates.

use onesec_telemetry::event::TaskStart;
use onesec_telemetry::{ActionClass, ActionSet, Mandate, Text, Timestamp};
use serde::{Deserialize, Serialize};

use super::taint::Taint;
use crate::facts::{Act, Outside};
use crate::pool::Entry;
use crate::shared::{Seed, Sym};
use crate::window::Split;

/// A task that somebody began, or that an agent says it works on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: Sym,
    /// Who works on it; its children may, too.
    pub(crate) agent: Sym,
    /// Somebody with authority began it.
    pub(crate) stated: bool,
    pub(crate) goal: Option<Box<str>>,
    pub(crate) bounds: Bounded,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) taint: Split<Taint>,
}

impl Task {
    /// Whether forgetting it at `now` sets somebody free: its mandate, or the influence that it is under.
    pub(crate) fn matters(&self, now: Timestamp) -> bool {
        let mandate = self.stated && self.ended.is_none() && self.bounds.is_stated();
        mandate || self.taint.both().any(|taint| taint.facts(now, false).is_some())
    }
}

/// The bounds of a mandate; what is absent is not bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounded {
    pub(crate) tools: Option<Vec<Box<str>>>,
    pub(crate) connections: Option<Vec<Box<str>>>,
    pub(crate) actions: Option<ActionSet>,
}

impl Bounded {
    pub(crate) fn of_task(d: &TaskStart) -> Self {
        let list = |texts: &Option<Vec<Text>>| {
            texts.as_ref().map(|list| list.iter().map(|text| text.as_str().trim().into()).collect())
        };
        let class = |text: &Text| ActionClass::from_name(text.as_str());
        Self {
            tools: list(&d.allowed_tools),
            connections: list(&d.allowed_connections),
            // What is no kind of act allows nothing.
            actions: d.allowed_actions.as_ref().map(|list| list.iter().filter_map(class).collect()),
        }
    }

    pub(crate) fn of_agent(mandate: &Mandate) -> Self {
        Self {
            tools: mandate.tools.as_ref().map(|list| list.iter().map(|name| name.as_str().into()).collect()),
            connections: mandate
                .connections
                .as_ref()
                .map(|list| list.iter().map(|name| name.as_str().into()).collect()),
            actions: mandate.actions.as_ref().map(|list| list.iter().copied().collect()),
        }
    }

    /// Whether it bounds anything.
    pub(crate) const fn is_stated(&self) -> bool {
        self.tools.is_some() || self.connections.is_some() || self.actions.is_some()
    }

    /// What of the act is not covered.
    pub(crate) fn outside(&self, act: &Act<'_>, connection: Option<&str>) -> Option<Outside> {
        let listed =
            self.tools.as_ref().zip(act.tool).map(|(tools, tool)| tools.iter().any(|known| covers(known, tool)));
        // Whoever bounds the tools alone does not mean that anything may be done without one.
        let toolless = self.tools.is_some() && self.actions.is_none() && act.tool.is_none();
        if listed == Some(false) || (toolless && act.call && act.changes()) {
            return Some(Outside::Tool);
        }
        if let (Some(connections), Some(connection)) = (&self.connections, connection)
            && !connections.iter().any(|known| **known == *connection)
        {
            return Some(Outside::Connection);
        }
        let beyond = self.actions.map(|allowed| act.classes.beyond(allowed)).filter(|beyond| !beyond.is_empty())?;
        // A tool that is allowed by name may do what its name does not tell.
        (act.certain || listed != Some(true)).then_some(Outside::Action(beyond))
    }
}

/// Whether a tool of a mandate is this one. A trailing `*` stands for any ending.
fn covers(known: &str, tool: &str) -> bool {
    match known.strip_suffix('*') {
        Some(start) => tool.starts_with(start),
        None => known == tool,
    }
}

impl Entry for Task {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(tool: Option<&'static str>, classes: ActionSet, certain: bool) -> Act<'static> {
        Act { tool, classes, certain, ..Act::default() }
    }

    #[test]
    fn what_is_not_listed_is_outside() {
        let read = ActionSet::EMPTY.with(ActionClass::Read);
        let send = ActionSet::EMPTY.with(ActionClass::Send);
        let write = ActionSet::EMPTY.with(ActionClass::Write);
        let bounds = Bounded {
            tools: Some(vec!["calendar".into(), "mail.*".into()]),
            connections: Some(vec!["google".into()]),
            actions: Some(read),
        };
        assert_eq!(bounds.outside(&act(Some("mail.list"), read, true), Some("google")), None);
        assert_eq!(bounds.outside(&act(Some("shell"), read, true), None), Some(Outside::Tool));
        assert_eq!(bounds.outside(&act(Some("mail.list"), read, true), Some("github")), Some(Outside::Connection));
        assert_eq!(bounds.outside(&act(Some("mail.send"), send, true), None), Some(Outside::Action(send)));
        assert_eq!(bounds.outside(&act(Some("calendar"), write, false), None), None, "allowed by name");
        assert_eq!(bounds.outside(&act(None, write, false), None), Some(Outside::Action(write)));
        let tools_only = Bounded { actions: None, ..bounds };
        let act = |tool, classes| Act { call: true, ..act(tool, classes, true) };
        assert_eq!(tools_only.outside(&act(None, send), None), Some(Outside::Tool), "by no tool at all");
        assert_eq!(tools_only.outside(&act(None, read), None), None);
        assert_eq!(Bounded::default().outside(&act(Some("x"), send), Some("y")), None);
    }
}
