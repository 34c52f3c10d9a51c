//! Manifests of tools: pinned as they were first shown, until a person approves another.

use compact_str::CompactString;
use onesec_telemetry::event::Json;
use onesec_telemetry::{Details, EventId, Name, Reach, Record, Text, TextScore, TextSignals, Thumbprint};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BehaviourTracker;
use super::measure::Who;
use crate::change::ToolRow;
use crate::facts::{Act, ManifestFacts, ManifestState};
use crate::pool::Entry;
use crate::shared::{Seed, Sym, stable_hash};
use crate::trackers::State;
use crate::window::{Class, Split};

/// A tool of a server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) server: Sym,
    pub(crate) tool: Sym,
    /// What a person or somebody with authority approved.
    pub(crate) approved: Option<Thumbprint>,
    pub(crate) shown: Split<Shown>,
}

/// What was shown of a manifest.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) first: Option<(Thumbprint, EventId)>,
    pub(crate) last: Option<(Thumbprint, EventId)>,
}

/// The first tool of several that are easily taken for one another, or that have the same name.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Alike {
    /// What they have in common.
    pub(crate) key: u64,
    pub(crate) server: Sym,
    pub(crate) tool: Sym,
}

/// One tool as an event shows it.
#[derive(Debug, Clone)]
pub(crate) struct ToolShown {
    pub(crate) tool: CompactString,
    pub(crate) server: CompactString,
    pub(crate) digest: Thumbprint,
    pub(crate) text: Option<(Reach, TextSignals)>,
}

impl Manifest {
    /// What it is to a record of `class`.
    fn state(&self, class: Class) -> (ManifestState, Option<&(Thumbprint, EventId)>) {
        let Some(shown) = self.shown.get(class) else { return (ManifestState::Unknown, None) };
        let Some(last) = &shown.last else {
            let known = if self.approved.is_some() { ManifestState::Approved } else { ManifestState::Unknown };
            return (known, None);
        };
        (self.judge(&last.0, class), Some(last))
    }

    /// What a manifest of this digest is to those who know this one.
    fn judge(&self, digest: &Thumbprint, class: Class) -> ManifestState {
        match (&self.approved, self.shown.get(class).and_then(|shown| shown.first.as_ref())) {
            (Some(approved), _) if approved == digest => ManifestState::Approved,
            (Some(_), _) => ManifestState::Changed,
            (None, Some((first, _))) if first != digest => ManifestState::Changed,
            (None, _) => ManifestState::Pending,
        }
    }
}

impl State {
    /// What the record shows or uses of tools.
    pub(crate) fn manifest_facts<'a>(
        &'a self,
        who: Who<'_>,
        record: &Record,
        act: Option<&Act<'a>>,
    ) -> Vec<ManifestFacts<'a>> {
        let Some(event) = record.event() else { return Vec::new() };
        let class = who.class;
        if let Some(tools) = tools_of(&event.details, record.text.as_deref(), self.behaviour.least) {
            let mut facts: Vec<ManifestFacts<'a>> = Vec::with_capacity(tools.len());
            for tool in tools {
                let twice = facts.iter().any(|known| *known.tool == *tool.tool && known.digest != Some(tool.digest));
                let mut fact = self.shown_facts(&tool, class);
                if twice {
                    fact.state = ManifestState::Changed;
                }
                facts.push(fact);
            }
            return facts;
        }
        let Some((act, tool)) = act.and_then(|act| Some((act, act.tool?))) else { return Vec::new() };
        let known = self.behaviour.used(&self.shared.seed, (act.server.unwrap_or_default(), tool), who.class);
        let Some(known) = known else { return Vec::new() };
        let (state, shown) = known.state(who.class);
        let fact = ManifestFacts {
            tool: tool.to_owned(),
            server: known.server.to_string(),
            digest: shown.map(|(digest, _)| *digest),
            state,
            event: shown.map(|(_, event)| event.clone()),
            shadows: None,
            look_alike: None,
            text: None,
            version: shown.map_or(0, |(digest, _)| version(digest)),
            called: true,
        };
        vec![fact]
    }

    fn shown_facts(&self, tool: &ToolShown, class: Class) -> ManifestFacts<'_> {
        let known = self.behaviour.manifest(&self.shared.seed, &tool.server, &tool.tool);
        let first = known.and_then(|known| known.shown.get(class)).and_then(|shown| shown.first.as_ref());
        let named = self.behaviour.alike(&self.shared.seed, same_name(&tool.tool));
        let look_alike =
            likenesses(&tool.tool).into_iter().find_map(|key| self.behaviour.alike(&self.shared.seed, key));
        ManifestFacts {
            tool: tool.tool.to_string(),
            server: tool.server.to_string(),
            digest: Some(tool.digest),
            state: known.map_or(ManifestState::Pending, |known| known.judge(&tool.digest, class)),
            event: first.map(|(_, event)| event.clone()),
            shadows: named.filter(|other| *other.server != *tool.server).map(|other| other.server.to_string()),
            look_alike: look_alike.filter(|other| *other.tool != *tool.tool).map(|other| &*other.tool),
            text: tool.text,
            version: version(&tool.digest),
            called: false,
        }
    }

    /// Remembers what was shown. What has authority and comes first is approved with it.
    pub(crate) fn settle_manifests(
        &mut self,
        shown: &[ToolShown],
        (class, authority, event): (Class, bool, &EventId),
        owner: Option<Sym>,
    ) {
        let mut changed = false;
        for tool in shown {
            let slot = self.manifest_slot((&tool.server, &tool.tool), owner.clone());
            let Some(known) = self.behaviour.manifests.get_mut(slot) else { continue };
            let side = known.shown.get_mut(class);
            if side.first.is_none() && authority && known.approved.is_none() {
                known.approved = Some(tool.digest);
            }
            let side = known.shown.get_mut(class);
            if side.first.is_none() {
                side.first = Some((tool.digest, event.clone()));
            }
            changed |= side.last.as_ref().is_none_or(|(last, _)| *last != tool.digest);
            side.last = Some((tool.digest, event.clone()));
            // Names that hearsay brings in must not make honest ones look like them.
            if class == Class::Proved {
                self.note_alike(tool, &owner);
            }
        }
        self.behaviour.tools_version += u64::from(changed);
    }

    /// A person approved a manifest.
    pub(crate) fn approve_tool(&mut self, server: Option<&Name>, tool: &Name, digest: Thumbprint) {
        self.behaviour.tools_version += 1;
        let server = server.map_or("", Name::as_str);
        let slot = self.manifest_slot((server, tool.as_str()), None);
        if let Some(known) = self.behaviour.manifests.get_mut(slot) {
            known.approved = Some(digest);
        }
    }

    fn manifest_slot(&mut self, (server, tool): (&str, &str), owner: Option<Sym>) -> u32 {
        let hash = self.shared.seed.pair(server, tool);
        let found = self.behaviour.manifests.find(hash, |known| *known.server == *server && *known.tool == *tool);
        found.unwrap_or_else(|| {
            let (server, tool) = (self.shared.name(server), self.shared.name(tool));
            let new = Manifest { server, tool, approved: None, shown: Split::default() };
            let (slot, gone) = self.behaviour.manifests.insert(hash, owner, new);
            self.behaviour.note_gone(gone, |known, _| known.approved.is_some());
            slot
        })
    }

    fn note_alike(&mut self, tool: &ToolShown, owner: &Option<Sym>) {
        for key in likenesses(&tool.tool).into_iter().chain([same_name(&tool.tool)]) {
            if self.behaviour.alike(&self.shared.seed, key).is_none() {
                let (server, name) = (self.shared.name(&tool.server), self.shared.name(&tool.tool));
                let hash = self.shared.seed.of_bytes(&key.to_le_bytes());
                self.behaviour.alikes.insert(hash, owner.clone(), Alike { key, server, tool: name });
            }
        }
    }
}

impl BehaviourTracker {
    fn manifest(&self, seed: &Seed, server: &str, tool: &str) -> Option<&Manifest> {
        let is = |known: &Manifest| *known.server == *server && *known.tool == *tool;
        self.manifests.get(self.manifests.find(seed.pair(server, tool), is)?)
    }

    /// The tool that a call means. One that leaves out the server means the one that showed the tool first.
    fn used(&self, seed: &Seed, (server, tool): (&str, &str), class: Class) -> Option<&Manifest> {
        let named = self.manifest(seed, server, tool).filter(|known| known.state(class).0 != ManifestState::Unknown);
        named.or_else(|| {
            let first = self.alike(seed, same_name(tool)).filter(|_| server.is_empty())?;
            self.manifest(seed, &first.server, tool)
        })
    }

    fn alike(&self, seed: &Seed, key: u64) -> Option<&Alike> {
        let slot = self.alikes.find(seed.of_bytes(&key.to_le_bytes()), |known| known.key == key)?;
        self.alikes.get(slot)
    }

    /// Tools as people see them, by server and name.
    pub(crate) fn tools(&self) -> Vec<ToolRow> {
        let mut all: Vec<&Manifest> = self.manifests.iter().collect();
        all.sort_unstable_by(|a, b| (&a.server, &a.tool).cmp(&(&b.server, &b.tool)));
        all.into_iter().filter_map(Manifest::row).collect()
    }
}

impl Manifest {
    /// What was shown last, by whoever's word counts most.
    fn row(&self) -> Option<ToolRow> {
        let proved = self.state(Class::Proved);
        let (state, shown) = if proved.1.is_some() { proved } else { self.state(Class::Reported) };
        let (digest, event) = shown?;
        Some(ToolRow {
            server: self.server.id::<Name>(),
            tool: self.tool.id()?,
            digest: *digest,
            approved: self.approved,
            state: match state {
                ManifestState::Approved => "approved",
                ManifestState::Changed => "changed",
                _ => "pending",
            },
            event: event.clone(),
        })
    }
}

/// The tools that an event shows, one by one.
pub(crate) fn tools_of(details: &Details, text: Option<&TextScore>, least: Reach) -> Option<Vec<ToolShown>> {
    match details {
        Details::ToolRegister(d) => {
            let parts = (d.description.as_ref(), d.parameters.as_ref(), d.description_hash.as_ref());
            Some(vec![one(&d.tool_name, d.server_name.as_ref(), parts, text_of(text, "/", least))])
        }
        Details::ToolUpdate(d) => {
            let parts = (d.description.as_ref(), d.parameters.as_ref(), d.description_hash.as_ref());
            Some(vec![one(&d.tool_name, d.server_name.as_ref(), parts, text_of(text, "/", least))])
        }
        Details::McpToolList(d) => {
            let Value::Array(list) = d.tools.to_value() else { return Some(Vec::new()) };
            let listed = list.iter().take(MOST_TOOLS).enumerate();
            Some(listed.filter_map(|(index, tool)| of_list(&d.server_name, (index, tool), (text, least))).collect())
        }
        _ => None,
    }
}

fn one(
    tool: &Name,
    server: Option<&Name>,
    (description, parameters, hash): (Option<&Text>, Option<&Json>, Option<&Name>),
    text: Option<(Reach, TextSignals)>,
) -> ToolShown {
    let parts = [description.map(Text::as_str), parameters.map(Json::as_str), hash.map(Name::as_str)];
    ToolShown {
        tool: CompactString::from(tool.as_str()),
        server: CompactString::from(server.map_or("", Name::as_str)),
        digest: digest(tool.as_str(), parts),
        text,
    }
}

fn of_list(
    server: &Name,
    (index, tool): (usize, &Value),
    (text, least): (Option<&TextScore>, Reach),
) -> Option<ToolShown> {
    let name = Name::new(tool.get("name")?.as_str()?).ok()?;
    let schema = tool.get("input_schema").or_else(|| tool.get("inputSchema")).or_else(|| tool.get("parameters"));
    let schema = schema.map(Value::to_string);
    let parts = [tool.get("description").and_then(Value::as_str), schema.as_deref(), None];
    Some(ToolShown {
        tool: CompactString::from(name.as_str()),
        server: CompactString::from(server.as_str()),
        digest: digest(name.as_str(), parts),
        text: text_of(text, &format!("/tools/{index}/"), least),
    })
}

/// The same however the manifest was shown.
fn digest(tool: &str, parts: [Option<&str>; 3]) -> Thumbprint {
    let mut text = String::from(tool);
    for part in parts {
        text.push('\u{1f}');
        text.push_str(part.unwrap_or("\u{0}"));
    }
    Thumbprint::of(text.as_bytes())
}

fn text_of(text: Option<&TextScore>, below: &str, least: Reach) -> Option<(Reach, TextSignals)> {
    let parts = text?.parts.iter().filter(|part| part.reach >= least && part.field.as_str().starts_with(below));
    parts.map(|part| (part.reach, part.signals)).reduce(|(a, signals), (b, more)| (a.max(b), signals.union(more)))
}

fn version(digest: &Thumbprint) -> u64 {
    digest.as_bytes().iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// Keys that two names share which a person takes for one another: the same but for homoglyphs, case and separators, or
/// with the same letters in another order.
fn likenesses(tool: &str) -> Vec<u64> {
    let skeleton: String =
        onesec_telemetry::id::confusable_skeleton(tool).chars().filter(|c| c.is_alphanumeric()).collect();
    let mut letters: Vec<char> = skeleton.chars().collect();
    let mut keys = vec![stable_hash(&["looks", &skeleton])];
    if letters.len() >= LEAST_LETTERS {
        let first: String = letters.iter().take(1).collect();
        letters.sort_unstable();
        keys.push(stable_hash(&["letters", &first, &letters.into_iter().collect::<String>()]));
    }
    keys
}

fn same_name(tool: &str) -> u64 {
    stable_hash(&["name", tool])
}

impl Entry for Manifest {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.pair(&self.server, &self.tool)
    }
}

impl Entry for Alike {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of_bytes(&self.key.to_le_bytes())
    }
}

/// Tools of one list that are looked at.
const MOST_TOOLS: usize = 512;
/// Shorter names have the same letters by chance.
const LEAST_LETTERS: usize = 6;
