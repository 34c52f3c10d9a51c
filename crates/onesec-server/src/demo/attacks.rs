//! The attacks: what is tried, and what the server has to say about it.

use std::time::Duration;

use serde_json::{Value, json};

use super::plots::{self, Plot};
use super::stage::{ALICE, Ask, BOB, CALENDAR, CHANNELS, GOOGLE, Proof, SLACK, Stage};
use crate::cli::client::{Answer, Query};
use crate::cli::error::CliError;
use crate::cli::table::{field, rows_of};

/// An attack, and the detectors that are meant to meet it: the first that answers.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// What is tried, in a sentence.
    pub(super) tried: &'static str,
    pub(super) detectors: &'static [&'static str],
    how: How,
}

enum How {
    /// One exchange.
    Exchange(Ask),
    /// One exchange, after the user took the account back.
    AfterUnlink(Ask),
    /// So many exchanges, in dry run by the one agent and live by the other: who flooded is over the limit for a while.
    Burst(usize, Ask, Ask),
    /// Grants by so many users to one application.
    Grants(usize),
    /// Something that agents do, up to an act that they ask about first.
    Acts(&'static Plot),
}

const MAIL: &str = "https://www.googleapis.com/auth/gmail.send";

const SYNC: Ask = Ask { agent: "sync-bot", user: BOB, proof: Proof::Refresh, connection: GOOGLE, scope: CALENDAR };

/// All of them, in the order in which they are played.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "Scope escalation",
        tried: "an invitation talks calendar-helper into asking for leave to send mail",
        detectors: &["scope-escalation"],
        how: How::Exchange(Ask {
            agent: "calendar-helper",
            user: ALICE,
            proof: Proof::Refresh,
            connection: GOOGLE,
            scope: MAIL,
        }),
    },
    Attack {
        name: "Agent without delegation",
        tried: "shadow-bot got hold of alice's session; she lent it nothing",
        detectors: &["unauthorized-agent"],
        how: How::Exchange(Ask {
            agent: "shadow-bot",
            user: ALICE,
            proof: Proof::Refresh,
            connection: GOOGLE,
            scope: CALENDAR,
        }),
    },
    Attack {
        name: "Another user's account",
        tried: "alice's calendar-helper turns up with bob's session",
        detectors: &["confused-deputy", "unauthorized-agent"],
        how: How::Exchange(Ask {
            agent: "calendar-helper",
            user: BOB,
            proof: Proof::Refresh,
            connection: GOOGLE,
            scope: CALENDAR,
        }),
    },
    Attack {
        name: "Use after unlink",
        tried: "alice disconnects slack; standup-bot carries on with her session",
        detectors: &["revoked-access"],
        how: How::AfterUnlink(Ask {
            agent: "standup-bot",
            user: ALICE,
            proof: Proof::Refresh,
            connection: SLACK,
            scope: CHANNELS,
        }),
    },
    Attack {
        name: "Burst",
        tried: "an agent of bob's loops and asks for 60 tokens in a row",
        detectors: &["exchange-rate"],
        how: How::Burst(60, SYNC, Ask { agent: "night-sync-bot", ..SYNC }),
    },
    Attack {
        name: "Consent phishing",
        tried: "five people grant mail, files and offline access to one unknown app",
        detectors: &["consent-phishing"],
        how: How::Grants(5),
    },
    Attack {
        name: "Goal hijacking",
        tried: "a mail with a hidden comment tells inbox-helper to forward the invoices",
        detectors: &["goal-hijack"],
        how: How::Acts(&plots::HIJACK),
    },
    Attack {
        name: "Memory poisoning",
        tried: "a mail to alice plants a rule in shared memory; bob's agent follows it",
        detectors: &["memory-poisoning", "attack-chain"],
        how: How::Acts(&plots::POISON),
    },
];

/// In which part of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    DryRun,
    Live,
}

/// What the server said to an attack.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Requests that got a token.
    pub(super) released: usize,
    /// Requests that were refused.
    pub(super) refused: usize,
    /// `onesec_reason` of the last refusal.
    pub(super) reason: String,
    /// The last refusal in words.
    pub(super) description: String,
    /// Seconds of `Retry-After` of the last refusal.
    pub(super) retry_after: Option<u64>,
    /// What live mode would have said to the last request.
    pub(super) would: Option<String>,
    /// The alert that names one of our requests or events as evidence.
    pub(super) alert: Option<Value>,
    /// Whether there was a request that could be refused at all.
    pub(super) refusable: bool,
    /// It was a question before an act, rather than an exchange.
    pub(super) act: bool,
    /// The last of the refused waits for a person, who may let it pass.
    pub(super) held: bool,
    /// Ids that the alert's evidence can name.
    ids: Vec<String>,
}

impl Said {
    /// What became of what did not pass.
    pub(super) const fn outcome(&self) -> &'static str {
        if self.held { "held for a person" } else { "refused" }
    }

    fn hear(&mut self, answer: &Answer) {
        self.refusable = true;
        self.ids.push(answer.text("exchange_id").to_owned());
        if answer.is_success() {
            self.released += 1;
            return;
        }
        self.refused += 1;
        self.held = answer.text("error") == "interaction_required";
        answer.text("onesec_reason").clone_into(&mut self.reason);
        answer.text("error_description").clone_into(&mut self.description);
        self.retry_after = answer.retry_after.or(self.retry_after);
    }
}

impl Said {
    /// The answer to a question before an act.
    fn hear_ruling(&mut self, ruling: &Value, expected: &[&str]) {
        (self.refusable, self.act) = (true, true);
        self.ids.push(field(ruling, &["/event_id"]));
        self.would = Some(field(ruling, &["/would"]));
        let decision = ruling.get("decision").and_then(Value::as_str);
        if decision == Some("allow") {
            self.released += 1;
            return;
        }
        self.refused += 1;
        self.held = decision == Some("hold");
        let findings = rows_of(ruling, "findings");
        if let Some(finding) = findings
            .iter()
            .find(|finding| expected.contains(&field(finding, &["/detector"]).as_str()))
            .or(findings.first())
        {
            (self.reason, self.description) = (field(finding, &["/detector"]), field(finding, &["/reason"]));
        }
    }
}

impl Attack {
    pub(super) async fn play(&self, stage: &Stage, act: Act) -> Result<Said, CliError> {
        let mut said = Said::default();
        match &self.how {
            How::Exchange(ask) => said.hear(&stage.exchange(ask).await?),
            How::AfterUnlink(ask) => {
                if act == Act::DryRun {
                    let unlink = json!({"user_id": ask.user, "connection": ask.connection});
                    stage.report("connected_account_unlink", "unlink-slack", &unlink).await?;
                }
                said.hear(&stage.exchange(ask).await?);
            }
            How::Burst(count, dry, live) => {
                for _ in 0..*count {
                    said.hear(&stage.exchange(if act == Act::DryRun { dry } else { live }).await?);
                }
            }
            How::Grants(users) => {
                for user in 0..*users {
                    said.ids.push(grant(stage, act, user).await?);
                }
            }
            How::Acts(plot) => {
                let ruling = plots::play(stage, plot).await?;
                said.hear_ruling(&ruling, self.detectors);
            }
        }
        if let (Act::DryRun, true, None, Some(last)) = (act, said.refusable, &said.would, said.ids.last()) {
            said.would = stage.would(last).await?;
        }
        said.alert = self.alert(stage, &said.ids).await?;
        Ok(said)
    }

    /// The alert of an expected detector whose evidence names one of `ids`.
    async fn alert(&self, stage: &Stage, ids: &[String]) -> Result<Option<Value>, CliError> {
        // Alerts are durable before the answer; lists may be a moment behind.
        for _ in 0..10 {
            for detector in self.detectors {
                let query = Query::default().with("detector", Some(detector)).with("limit", Some("100"));
                let answer = stage.admin.get("/api/v1/alerts", &query).await?;
                let proves = |alert: &&Value| {
                    let evidence = alert.get("evidence").map(|list| rows_of(list, "")).unwrap_or_default();
                    evidence.iter().any(|id| ids.iter().any(|ours| id.as_str() == Some(ours)))
                };
                if let Some(alert) =
                    rows_of(&answer, "alerts").into_iter().filter(proves).max_by_key(|alert| rank(alert))
                {
                    return Ok(Some(alert.clone()));
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(None)
    }
}

/// The worst first.
fn rank(alert: &Value) -> u8 {
    let severity = onesec_telemetry::Severity::from_name(&field(alert, &["/severity"]));
    severity.map_or(0, onesec_telemetry::Severity::rank)
}

/// One of the users grants an application of this act what it asks for; gives the event's id.
async fn grant(stage: &Stage, act: Act, user: usize) -> Result<String, CliError> {
    let (app, name) = match act {
        Act::DryRun => ("app_inbox_zero", "Inbox Zero Pro"),
        Act::Live => ("app_quick_pdf", "Quick PDF Sign"),
    };
    let id = format!("grant-{app}-{user}");
    let details = json!({
        "app_id": app,
        "app_name": name,
        "username": format!("user{user}@demo.test"),
        "publisher_verified": false,
        "scopes": ["offline_access", "https://www.googleapis.com/auth/gmail.readonly", MAIL,
            "https://www.googleapis.com/auth/drive"],
    });
    stage.report("oauth_grant", &id, &details).await?;
    Ok(id)
}

/// Whether an attack was met, in both acts.
pub(super) struct Met {
    pub(super) name: &'static str,
    pub(super) expected: &'static [&'static str],
    pub(super) watched: Said,
    pub(super) stopped: Said,
    /// Why it was not met.
    pub(super) missing: Vec<String>,
}

impl Met {
    pub(super) fn in_dry_run(attack: &Attack, watched: Said) -> Self {
        let mut missing = Vec::new();
        if watched.alert.is_none() {
            missing.push(format!("no alert by {} in dry run", attack.detectors.join(" or ")));
        }
        Self { name: attack.name, expected: attack.detectors, watched, stopped: Said::default(), missing }
    }

    pub(super) fn then_live(&mut self, attack: &Attack, stopped: Said) {
        if stopped.refusable {
            if stopped.refused == 0 {
                self.missing.push("live mode let it pass".to_owned());
            } else if !attack.detectors.contains(&stopped.reason.as_str()) {
                self.missing.push(format!("live mode refused it for `{}`", stopped.reason));
            }
        } else if stopped.alert.is_none() {
            self.missing.push("no alert in live mode".to_owned());
        }
        self.stopped = stopped;
    }

    pub(super) fn is_met(&self) -> bool {
        self.missing.is_empty()
    }

    /// The detector that met it, or those that should have.
    pub(super) fn detector(&self) -> String {
        let found = self.watched.alert.as_ref().or(self.stopped.alert.as_ref());
        found.map_or_else(|| self.expected.join(" or "), |alert| field(alert, &["/detector"]))
    }

    pub(super) fn to_json(&self) -> Value {
        let act = |said: &Said| {
            json!({
                "released": said.released, "refused": said.refused, "held": said.held, "reason": said.reason,
                "would": said.would, "description": said.description, "retry_after": said.retry_after,
                "alert": said.alert,
            })
        };
        json!({
            "attack": self.name, "expected": self.expected, "met": self.is_met(), "missing": self.missing,
            "dry_run": act(&self.watched), "live": act(&self.stopped),
        })
    }
}
