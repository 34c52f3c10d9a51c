//! `onesec doctor`: where Token Vault users get stuck, looked at one thing after the other. Needs no server, and asks one
//! that runs what it has seen.

use std::sync::Arc;

use onesec_auth0::Clock as Auth0Clock;
use onesec_auth0::doctor::{Checked, Plan, Report, Status, catalogue, gather, judge, scopes};
use onesec_telemetry::suggest::did_you_mean;
use onesec_telemetry::{TenantId, Timestamp};
use serde_json::{Value, json};

use super::args::DoctorArgs;
use super::client::{Client, Query};
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean};
use super::up::configured;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::Config;
use crate::server::doctor::{Asked, plan, with_vault};

pub(super) async fn doctor(args: DoctorArgs, server: Option<&Client>, out: &mut Out) -> Result<Ended, CliError> {
    known(&args.checks)?;
    if args.scopes {
        return show_scopes(out);
    }
    if args.list {
        return show_checks(&args.checks, out);
    }
    let config = configured(args.config.as_deref())?;
    let asked = Asked { connection: args.connection.clone(), user: args.user.clone() };
    let clock = Clock::start();
    let clock: Arc<dyn Auth0Clock> = Arc::new(move || clock.now());
    // What cannot be used is said before anybody is asked.
    let mut plans = Vec::new();
    for tenant in tenants(&args, &config)? {
        let plan = plan(&config, &tenant, (&asked, clock.clone()));
        let plan = plan.map_err(|error| CliError::usage(format!("configuration: {}", with_causes(&error))))?;
        plans.push((tenant, plan));
    }
    let mut reports = Vec::new();
    for (tenant, mut plan) in plans {
        ask_server((&tenant, &mut plan), server).await;
        let domain = plan.tenant.domain().to_owned();
        reports.push((tenant, domain, judge(&gather(plan).await).only(&args.checks)));
    }
    show(&reports, out)
}

fn tenants(args: &DoctorArgs, config: &Config) -> Result<Vec<TenantId>, CliError> {
    let all = with_vault(config);
    if let Some(wanted) = &args.tenant {
        let found: Vec<TenantId> = all.iter().filter(|tenant| tenant.as_str() == wanted).cloned().collect();
        let hint =
            did_you_mean(wanted, all.iter().map(TenantId::as_str)).map(|name| format!(", did you mean `{name}`?"));
        return if found.is_empty() {
            let shown = clean(wanted, 64);
            Err(CliError::usage(format!("no tenant `{shown}` with Token Vault{}", hint.unwrap_or_default())))
        } else {
            Ok(found)
        };
    }
    if all.is_empty() {
        let how = "set AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET, or write `token_vault`";
        return Err(CliError::usage(format!("Token Vault is not configured: {how}")));
    }
    Ok(all)
}

/// A check that is misspelt would pass.
fn known(ids: &[String]) -> Result<(), CliError> {
    let all = || catalogue().map(|check| check.id);
    match ids.iter().find(|id| !all().any(|known| known == *id)) {
        None => Ok(()),
        Some(id) => {
            let hint = did_you_mean(id, all()).map(|name| format!(", did you mean `{name}`?"));
            let shown = clean(id, 64);
            Err(CliError::usage(format!("no check `{shown}`{}; see --list", hint.unwrap_or_default())))
        }
    }
}

/// What our own server has seen, where one runs and knows our key.
async fn ask_server((tenant, plan): (&TenantId, &mut Plan), server: Option<&Client>) {
    let Some(server) = server else { return };
    let server = server.of_tenant(Some(tenant.as_str().to_owned()));
    let Ok(status) = server.get("/api/v1/status", &Query::default()).await else { return };
    if status.get("tenant").and_then(Value::as_str) != Some(tenant.as_str()) {
        return;
    }
    plan.server.asked = true;
    let stream = status.get("log_stream").filter(|stream| !stream.is_null());
    plan.server.takes_logs |= stream.is_some();
    let last = stream.and_then(|stream| stream.get("last_log_at")).and_then(Value::as_str);
    plan.server.last_log = last.and_then(|text| text.parse::<Timestamp>().ok());
}

fn show_scopes(out: &mut Out) -> Result<Ended, CliError> {
    if out.json() {
        out.document(&json!({"scopes": scopes()}))?;
    } else {
        out.line(scopes().join(" "))?;
    }
    Ok(Ended::Well)
}

fn show_checks(only: &[String], out: &mut Out) -> Result<Ended, CliError> {
    let wanted = catalogue().filter(|check| only.is_empty() || only.iter().any(|id| id == check.id));
    if out.json() {
        let row = |check: &onesec_auth0::doctor::Check| {
            json!({"id": check.id, "group": check.group, "title": check.title, "scopes": check.scopes,
                "change": check.change, "where": {"dashboard": check.dashboard, "api": check.call},
                "reference": check.reference})
        };
        out.document(&json!({"checks": wanted.map(row).collect::<Vec<_>>()}))?;
        return Ok(Ended::Well);
    }
    for check in wanted {
        out.line(format_args!("{:<26} {}", check.id, check.title))?;
    }
    Ok(Ended::Well)
}

fn show(reports: &[(TenantId, String, Report)], out: &mut Out) -> Result<Ended, CliError> {
    let count = |status| reports.iter().map(|(.., report)| report.count(status)).sum::<usize>();
    if out.json() {
        let tenants = reports.iter().map(|(tenant, domain, report)| {
            let checks: Vec<Value> = report.checked().iter().map(Checked::to_json).collect();
            json!({"tenant": tenant, "domain": domain, "checks": checks, "summary": summary(|status| report.count(status))})
        });
        out.document(&json!({"tenants": tenants.collect::<Vec<_>>(), "summary": summary(count)}))?;
    } else {
        for (tenant, domain, report) in reports {
            out.line(Ink::Bold.on(format_args!("{domain}, tenant {tenant} of onesec")))?;
            let mut said = "";
            for checked in report.checked() {
                one(checked, said, out)?;
                said = if checked.change.is_empty() { said } else { &checked.change };
            }
        }
        let counts = ALL.map(|status| format!("{} {status}", count(status)));
        out.line(counts.join(", "))?;
    }
    Ok(match (count(Status::Failed), count(Status::Unknown)) {
        (0, 0) => Ended::Well,
        (0, _) => Ended::Like(UNTOLD),
        (_, _) => Ended::Negative,
    })
}

fn summary(count: impl Fn(Status) -> usize) -> Value {
    ALL.into_iter()
        .map(|status| (status.as_str().to_owned(), Value::from(count(status))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What to do is said once where it is the same for several in a row.
fn one(checked: &Checked, said: &str, out: &mut Out) -> std::io::Result<()> {
    let (word, ink) = match checked.status {
        Status::Ok => ("ok", Ink::Green),
        Status::Failed => ("FAILED", Ink::Red),
        Status::Warning => ("warning", Ink::Yellow),
        Status::Unknown => ("unknown", Ink::Cyan),
        _ => ("skipped", Ink::Dim),
    };
    let about = if checked.about.is_empty() { String::new() } else { format!("{}: ", clean(&checked.about, 200)) };
    let (word, id) = (ink.on(format_args!("{word:<8}")), checked.check.id);
    out.line(format_args!("{word} {id:<26} {about}{}", clean(&checked.seen, 400)))?;
    let details = [("do", &checked.change), ("where", &checked.dashboard), ("call", &checked.call)];
    for (name, text) in details.into_iter().filter(|(_, text)| !text.is_empty() && *text != said) {
        out.line(format_args!("         {name:<6} {}", clean(text, 1_000)))?;
    }
    Ok(())
}

const ALL: [Status; 5] = [Status::Ok, Status::Warning, Status::Failed, Status::Unknown, Status::Skipped];
/// Nothing failed, and something could not be told.
const UNTOLD: u8 = 3;
