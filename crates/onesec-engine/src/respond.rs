//! From changes of alerts to actions, and from a person's word to what waited for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onesec_detector::{StateError, StateReader, StateWriter};
use onesec_enforcement::{
    ActionSpec, Approval, ApprovalError, Approvals, Approver, Asked, Barred, Fate, FourEyes, Occasion, Phase, Planned,
    Planner, Policy, Preset, Say, Target,
};
use onesec_telemetry::{
    Alert, AlertId, Attribution, Change, Channel, Command, Mode, Name, Record, Response, ResponseStatus, Seq, Severity,
    Text, Thumbprint, Timestamp, Transition,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alerts::AlertBook;
use crate::doubted::{Doubted, knows_user};
use crate::holds::{Granted, HeldFor, Waivers, asked};
use crate::output::{Answer, Reported};

/// One step of an action: its receipt, and what is to be carried out with it.
#[derive(Debug, Clone)]
pub struct Step {
    /// The receipt.
    pub response: Response,
    /// What an executor must do; durable together with the receipt.
    pub queued: Option<Queued>,
}

/// An action for an executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// What, as [`ActionSpec::shown`] has it.
    pub action: Value,
    /// To whom.
    pub target: Target,
    /// Why.
    pub alert: Alert,
    /// Ahead of everything that is not CRITICAL.
    pub urgent: bool,
}

/// What waits for a person, as an approval keeps it: an action, or a request that is held.
#[derive(Serialize, Deserialize)]
struct Waiting {
    response: Response,
    queued: Option<Queued>,
    held: Option<HeldFor>,
    /// What is asked by the request, for people.
    request: Option<Value>,
}

/// Policies at work.
#[derive(Debug, Default)]
pub(crate) struct Responder {
    policies: Arc<Vec<Policy>>,
    planner: Planner,
    approvals: Approvals,
    /// Who last changed what is enforced.
    makers: Barred,
    eyes: FourEyes,
    waivers: Waivers,
    /// Receipts of waivers in force.
    granted: BTreeMap<Name, Response>,
    doubted: Doubted,
}

/// What the responder is told about the alerts that changed.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) record: &'a Record,
    pub(crate) alerts: &'a AlertBook,
    pub(crate) mode: Mode,
    pub(crate) preset: Preset,
}

impl Responder {
    pub(crate) fn take(&mut self, policies: Vec<Policy>, eyes: FourEyes) {
        (self.policies, self.eyes) = (Arc::new(policies), eyes);
    }

    pub(crate) const fn policies(&self) -> &Arc<Vec<Policy>> {
        &self.policies
    }

    pub(crate) const fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        out.put("planner", &self.planner);
        out.put("approvals", &self.approvals);
        out.put("makers", &self.makers);
        out.put("waivers", &self.waivers);
        out.put("doubted", &self.doubted);
        out.put("granted", &serde_json::to_string(&self.granted).unwrap_or_default());
    }

    pub(crate) fn load(&mut self, state: StateReader<'_>) -> Result<(), StateError> {
        self.planner = state.get("planner")?;
        self.approvals = state.get("approvals")?;
        self.makers = state.get("makers")?;
        self.waivers = state.get("waivers")?;
        // Snapshots of before know of none.
        self.doubted = state.get("doubted").unwrap_or_default();
        let granted: String = state.get("granted")?;
        self.granted = serde_json::from_str(&granted).map_err(|_| StateError::Undecodable("granted".to_owned()))?;
        Ok(())
    }

    /// Remembers who changed what is enforced: he cannot approve what follows from it.
    pub(crate) fn made_by(&mut self, record: &Record) {
        self.makers = Barred::default();
        if record.sender.channel == Channel::Api {
            self.makers.bar(record.sender.key.as_ref(), record.sender.owner.as_ref());
        }
    }

    /// Lets what nobody decided on run out.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Step> {
        let ended = |approval: Approval| {
            let Waiting { mut response, .. } = serde_json::from_str(&approval.wanted).ok()?;
            close(&mut response, ResponseStatus::Expired, Some("nobody decided in time"), now);
            Some(Step { response, queued: None })
        };
        let mut steps: Vec<Step> = self.approvals.expire(now).into_iter().filter_map(ended).collect();
        for id in self.waivers.expire(now) {
            steps.extend(self.granted.remove(&id).map(|mut response| {
                close(&mut response, ResponseStatus::Expired, Some("nobody asked again in time"), now);
                Step { response, queued: None }
            }));
        }
        steps
    }

    /// Which findings of a request a person has seen and said yes to.
    pub(crate) fn covered(&self, record: &Record, phase: Phase, findings: &[Reported]) -> Vec<bool> {
        self.waivers.covered(record, phase, findings)
    }

    /// A request passed because a person said yes to it.
    pub(crate) fn use_up(&mut self, record: &Record) -> Option<Step> {
        let id = self.waivers.use_up(record)?;
        let mut response = self.granted.remove(&id)?;
        close(&mut response, ResponseStatus::Succeeded, None, record.observed_at);
        response.verification = Some(Text::redacted("it passed, once"));
        Some(Step { response, queued: None })
    }

    /// A request is held: a person is asked, under the id that comes back.
    pub(crate) fn hold(
        &mut self,
        scene: Scene<'_>,
        findings: &[Reported],
        answer: &Answer,
    ) -> (Option<Name>, Option<Step>) {
        let (record, now) = (scene.record, scene.record.observed_at);
        let alert = answer.because.as_ref().and_then(|because| because.alert.clone());
        let (Some(held), Some(alert)) = (HeldFor::of(record, findings), alert) else { return (None, None) };
        let digest = held.digest();
        let id = held_id(record, &digest);
        let mut response = Response {
            id: id.clone(),
            alert_id: alert.clone(),
            policy: word(scene.preset.as_str()),
            action: word("release"),
            target: record.agent().map(|agent| Text::redacted(&format!("request of {agent}"))),
            status: ResponseStatus::PendingApproval,
            reason: None,
            requested_at: now,
            finished_at: None,
            approved_by: None,
            verification: None,
            undo_until: None,
        };
        let mut barred = self.makers.clone();
        barred.bar(record.sender.key.as_ref(), record.sender.owner.as_ref());
        for reporters in findings.iter().filter_map(|f| scene.alerts.reporters(f.brief.alert.as_ref()?)) {
            barred.join(reporters);
        }
        let request = asked(record);
        let waiting = Waiting { response: response.clone(), queued: None, held: Some(held), request };
        let approval =
            Approval::new((id.clone(), digest), (now, now + Policy::PATIENCE), Some(alert), record.agent().cloned())
                .about(serde_json::to_string(&waiting).unwrap_or_default())
                .barring(barred);
        match self.approvals.ask(approval) {
            Asked::Waits => (Some(id), Some(Step { response, queued: None })),
            Asked::Merged(same) => (Some(same), None),
            _ => {
                close(&mut response, ResponseStatus::Skipped, Some("too much waits for a person already"), now);
                (None, Some(Step { response, queued: None }))
            }
        }
    }

    /// What is to be done about alerts that opened or got worse.
    pub(crate) fn respond(&mut self, scene: Scene<'_>, transitions: &[Transition], touched: &[AlertId]) -> Vec<Step> {
        if self.policies.is_empty() {
            return Vec::new();
        }
        let policies = self.policies.clone();
        let mut steps = Vec::new();
        for transition in transitions.iter().filter(|t| matches!(t.change, Change::Opened | Change::Raised)) {
            let alert = &transition.after;
            let occasion = occasion(scene, (alert, transition.seq));
            self.doubted.note(alert, occasion.user_is_known);
            let plan = self.planner.plan(&policies, occasion);
            steps.extend(self.steps(scene, plan, alert));
        }
        // A claim that came first keeps nothing from being done once the user is known.
        for alert in touched.iter().filter_map(|id| scene.alerts.get(id)) {
            let occasion = occasion(scene, (alert, scene.record.seq));
            if occasion.user_is_known && self.doubted.settle(&alert.id) {
                let plan = self.planner.plan_at_user(&policies, occasion);
                steps.extend(self.steps(scene, plan, alert));
            }
        }
        steps
    }

    fn steps(&mut self, scene: Scene<'_>, plan: Vec<Planned>, alert: &Alert) -> Vec<Step> {
        let policies = self.policies.clone();
        let spec = |planned: &Planned| {
            let policy = policies.iter().find(|policy| policy.name == planned.policy);
            policy.and_then(|policy| policy.actions.get(planned.index))
        };
        plan.iter().filter_map(|planned| self.step(scene, (planned, spec(planned)?), alert)).collect()
    }

    fn step(&mut self, scene: Scene<'_>, (planned, spec): (&Planned, &ActionSpec), alert: &Alert) -> Option<Step> {
        let now = scene.record.observed_at;
        let mut response = receipt(planned, spec, alert, now);
        let queued = planned.target.clone().map(|target| Queued {
            action: spec.shown(),
            target,
            alert: alert.clone(),
            urgent: planned.urgent,
        });
        match (planned.fate, queued) {
            (Fate::Execute, queued) => return Some(Step { response, queued }),
            (Fate::DryRun, _) => close(&mut response, ResponseStatus::DryRun, Some("live mode would"), now),
            (Fate::Skip(why), _) => close(&mut response, ResponseStatus::Skipped, Some(why), now),
            (Fate::Ask(_), None) => return None,
            (Fate::Ask(patience), Some(queued)) => {
                response.status = ResponseStatus::PendingApproval;
                let approval = self.question(scene, (response.clone(), queued), patience);
                match self.approvals.ask(approval) {
                    Asked::Merged(_) => return None,
                    Asked::NoRoom => {
                        close(&mut response, ResponseStatus::Skipped, Some("too much waits for a person already"), now);
                    }
                    _ => {}
                }
            }
        }
        Some(Step { response, queued: None })
    }

    fn question(&self, scene: Scene<'_>, (response, queued): (Response, Queued), patience: Duration) -> Approval {
        let now = scene.record.observed_at;
        // Done to nobody in particular, it is about the alert: a message of one is not that of another.
        let about = (queued.target == Target::Nothing).then_some(&queued.alert.id);
        let exactly = serde_json::json!([response.policy, queued.action, queued.target, about]).to_string();
        let mut barred = scene.alerts.reporters(&queued.alert.id).cloned().unwrap_or_default();
        barred.join(&self.makers);
        let (id, alert, agent) = (response.id.clone(), queued.alert.id.clone(), queued.alert.agent_id.clone());
        let waiting = Waiting { response, queued: Some(queued), held: None, request: None };
        let waiting = serde_json::to_string(&waiting).unwrap_or_default();
        Approval::new((id, Thumbprint::of(exactly.as_bytes())), (now, now + patience), Some(alert), agent)
            .about(waiting)
            .barring(barred)
    }

    /// A person said yes to a request that was held.
    fn grant(&mut self, mut response: Response, held: HeldFor, now: Timestamp) -> Vec<Step> {
        let Granted::InForce { instead_of } = self.waivers.grant(response.id.clone(), held, now) else {
            close(&mut response, ResponseStatus::Skipped, Some("too many requests may pass already"), now);
            return vec![Step { response, queued: None }];
        };
        let former = instead_of.and_then(|id| self.granted.remove(&id)).map(|mut former| {
            close(&mut former, ResponseStatus::Expired, Some("a later yes took its place"), now);
            Step { response: former, queued: None }
        });
        response.status = ResponseStatus::Executing;
        response.reason = Some(Text::redacted("the same request passes once within 10 minutes"));
        self.granted.insert(response.id.clone(), response.clone());
        former.into_iter().chain([Step { response, queued: None }]).collect()
    }

    /// A person decides.
    pub(crate) fn decide(
        &mut self,
        (id, digest): (&Name, &Thumbprint),
        say: Say,
        record: &Record,
    ) -> Result<Vec<Step>, ApprovalError> {
        let now = record.observed_at;
        let (key, owner) = (record.sender.key.as_ref(), record.sender.owner.as_ref());
        let by = Approver { key, owner, eyes: self.eyes };
        let approval = self.approvals.decide((id, digest), (say, by), now)?;
        let Ok(Waiting { mut response, queued, held, .. }) = serde_json::from_str::<Waiting>(&approval.wanted) else {
            return Ok(Vec::new());
        };
        response.approved_by = owner.cloned().or_else(|| key.and_then(|key| Name::new(key.as_str()).ok()));
        if let (Say::Approve, Some(held)) = (say, held) {
            return Ok(self.grant(response, held, now));
        }
        // What was asked for must still be what is in force.
        let stands = self.policies.iter().find(|p| p.name == response.policy);
        let wanted = queued.as_ref().map(|queued| &queued.action);
        let stands = stands.is_some_and(|p| p.actions.iter().any(|spec| Some(&spec.shown()) == wanted));
        let step = match (say, stands) {
            (Say::Approve, true) => {
                (response.status, response.reason) = (ResponseStatus::Executing, None);
                Step { response, queued }
            }
            (Say::Approve, false) => {
                close(&mut response, ResponseStatus::Skipped, Some("its policy is no longer in force"), now);
                Step { response, queued: None }
            }
            (Say::Reject, _) => {
                close(&mut response, ResponseStatus::Rejected, Some("a person said no"), now);
                Step { response, queued: None }
            }
        };
        Ok(vec![step])
    }
}

fn occasion<'a>(scene: Scene<'a>, (alert, seq): (&'a Alert, Seq)) -> Occasion<'a> {
    let Scene { record, alerts, mode, .. } = scene;
    // The agent's own socket, and nobody's word.
    let own = record.sender.agent.is_some() && record.sender.agent == alert.agent_id;
    let seen = matches!(record.sender.channel, Channel::Gateway | Channel::Decide | Channel::Ingest);
    let source = record.network.filter(|_| own && seen);
    let (now, proved) = (record.observed_at, alerts.proved(&alert.id));
    Occasion { alert, seq, now, source, proved, user_is_known: knows_user(record, alert), mode }
}

/// The same for the same question at the same record, however often it is worked out.
fn held_id(record: &Record, digest: &Thumbprint) -> Name {
    let text = format!("{}\u{1f}{}\u{1f}{digest}", record.tenant, record.seq);
    let hash = Thumbprint::of(text.as_bytes()).to_string();
    word(&format!("{}{}", Approval::REQUEST, hash.get(..26).unwrap_or_default()))
}

fn receipt(planned: &Planned, spec: &ActionSpec, alert: &Alert, now: Timestamp) -> Response {
    Response {
        id: planned.id.clone(),
        alert_id: alert.id.clone(),
        policy: planned.policy.clone(),
        action: word(spec.kind()),
        target: planned.target.as_ref().map(|target| Text::redacted(&target.to_string())),
        status: ResponseStatus::Executing,
        reason: None,
        requested_at: now,
        finished_at: None,
        approved_by: None,
        verification: None,
        undo_until: None,
    }
}

fn close(response: &mut Response, status: ResponseStatus, why: Option<&str>, now: Timestamp) {
    response.status = status;
    response.reason = why.map(Text::redacted);
    response.finished_at = Some(now);
}

#[expect(clippy::expect_used, reason = "kinds of actions are identifiers, checked when policies are read")]
fn word(text: &str) -> Name {
    Name::new(text).expect("an identifier")
}

/// What of a command a person's word about an approval is.
pub(crate) const fn said(command: &Command) -> Option<(&Name, &Thumbprint, Say)> {
    match command {
        Command::DecideApproval { id, digest, approve, .. } => {
            Some((id, digest, if *approve { Say::Approve } else { Say::Reject }))
        }
        _ => None,
    }
}

/// How bad a finding makes an alert without what others merely report.
pub(crate) fn proves(attribution: Attribution, severity: Severity) -> Option<Severity> {
    (attribution > Attribution::Reported).then_some(severity)
}
