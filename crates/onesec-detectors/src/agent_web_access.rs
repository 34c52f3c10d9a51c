//! `agent-web-access`: where an agent goes on the web, what it brings back, and whom it pays.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{Details, Kind, Text};
use onesec_trackers::facts::{Argument, BehaviourFacts, PaymentFacts, WebFacts};

use crate::addresses::{Place, place};
use crate::words::{plain, signals_list};

/// When an agent goes too far on the web.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WebLimits {
    /// The most that one payment may be, in any currency.
    pub max_payment: f64,
    /// The most that an agent may pay in a day, per currency.
    pub max_daily: f64,
    /// The most payments in an hour.
    pub max_payments_per_hour: u32,
    /// Internal hosts that agents may reach; a leading `*.` stands for anything below.
    pub internal_hosts: Vec<String>,
    /// AI services that may be used; none: any.
    pub ai_services: Vec<String>,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            max_payment: 100.0,
            max_daily: 500.0,
            max_payments_per_hour: 20,
            internal_hosts: Vec::new(),
            ai_services: Vec::new(),
        }
    }
}

/// Fires on fetches from internal addresses (however they are written) and by other schemes than the web's, on pages and
/// llms.txt that hold instructions or that changed, on payments over our limit, to recipients that untrusted content named,
/// of nothing or less than nothing, and on AI services that nobody allowed.
///
/// The limit that a payment itself states counts for nothing.
///
/// **Blind spot**: names that resolve to internal addresses; redirects; payments that nobody reports.
#[derive(Debug)]
pub struct AgentWebAccess {
    descriptor: Descriptor,
    limits: WebLimits,
}

impl AgentWebAccess {
    /// With these limits.
    #[must_use]
    pub fn new(limits: WebLimits) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI01", "ASI02"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI02 Tool Misuse and Exploitation"],
            kinds: &[
                Kind::AgentWebFetch,
                Kind::LlmsTxtAccess,
                Kind::AgentMarkdownIngest,
                Kind::AgentPayment,
                Kind::X402Payment,
                Kind::AiApiCall,
                Kind::LlmApiCall,
                Kind::ModelInference,
                Kind::NetworkRequest,
                Kind::ToolCall,
                Kind::FunctionCall,
            ],
            stateless: true,
            blind_spot: "names that resolve to internal addresses; redirects; payments that nobody reports",
            mitigation: "Let agents fetch by a proxy that knows where they may go, and pay by a wallet with a limit.",
            ..Descriptor::new("agent-web-access", Module::AgenticWeb, "Agent goes too far on the web")
        };
        Self { descriptor, limits }
    }

    fn verdict(&self, record: &Record, behaviour: &BehaviourFacts<'_>) -> Option<Judged> {
        let details = &record.event()?.details;
        if let Some(payment) = &behaviour.payment {
            return self.pays(payment);
        }
        // The worst of all: an address that leads nowhere bad hides none that does.
        let places = destinations(details, behaviour);
        let goes = places.iter().filter_map(|url| self.goes(url));
        let goes = goes.reduce(|worst, next| if next.0 > worst.0 { next } else { worst });
        let reads = behaviour.web.as_ref().and_then(|web| brings(behaviour, web));
        goes.or(reads).or_else(|| self.asks(details))
    }

    fn goes(&self, url: &str) -> Option<Judged> {
        let shown = plain(url);
        match place(url) {
            Place::Public => None,
            Place::Host(host) | Place::Internal(host) if self.is_allowed(&host) => None,
            Place::Host(_) => None,
            Place::Metadata => {
                Some((Severity::Critical, format!("`{shown}` hands out the credentials of the machine"), "metadata"))
            }
            Place::Internal(host) => {
                Some((Severity::High, format!("`{}` is an internal address", plain(&host)), "internal"))
            }
            Place::Scheme(scheme) => {
                Some((Severity::High, format!("`{}:` is no scheme of the web", plain(&scheme)), "scheme"))
            }
            Place::Unreadable => Some((Severity::Medium, format!("`{shown}` is no address"), "unreadable")),
        }
    }

    fn is_allowed(&self, host: &str) -> bool {
        self.limits.internal_hosts.iter().any(|known| match known.strip_prefix("*.") {
            Some(above) => host.strip_suffix(above).is_some_and(|rest| rest.ends_with('.')),
            None => known.eq_ignore_ascii_case(host),
        })
    }

    fn pays(&self, payment: &PaymentFacts) -> Option<Judged> {
        let amount = payment.amount;
        let currency =
            if payment.currency.is_empty() { String::new() } else { format!(" {}", plain(&payment.currency)) };
        if amount <= 0.0 {
            return Some((Severity::High, format!("a payment of {amount}{currency}"), "no-amount"));
        }
        let named = payment.recipient_named && !payment.recipient_known;
        if named {
            let why = "the recipient of a payment was named by untrusted content".to_owned();
            return Some((Severity::Critical, why, "recipient-named"));
        }
        let limits = &self.limits;
        if amount > limits.max_payment {
            let most = limits.max_payment;
            return Some((
                Severity::High,
                format!("a payment of {amount}{currency}, and {most} is the limit"),
                "limit",
            ));
        }
        if payment.in_day > limits.max_daily {
            let (paid, most) = (payment.in_day, limits.max_daily);
            return Some((
                Severity::High,
                format!("payments of {paid}{currency} in a day, and {most} is the limit"),
                "daily-limit",
            ));
        }
        if payment.in_hour > limits.max_payments_per_hour {
            let (count, most) = (payment.in_hour, limits.max_payments_per_hour);
            return Some((
                Severity::High,
                format!("{count} payments in an hour, and {most} is the limit"),
                "hourly-limit",
            ));
        }
        (!payment.recipient_known)
            .then(|| (Severity::Low, "the agent pays this recipient for the first time".to_owned(), "new-recipient"))
    }

    /// AI services that nobody allowed.
    fn asks(&self, details: &Details) -> Option<Judged> {
        let (endpoint, authorised) = match details {
            Details::AiApiCall(d) => (&d.endpoint, d.authorized),
            Details::LlmApiCall(d) => (&d.endpoint, d.authorized),
            Details::ModelInference(d) => (&d.endpoint, d.authorized),
            _ => return None,
        };
        let shown = plain(endpoint.as_str());
        if authorised == Some(false) {
            return Some((
                Severity::Medium,
                format!("AI service `{shown}` is used without being allowed"),
                "shadow-ai",
            ));
        }
        let host = match place(endpoint.as_str()) {
            Place::Host(host) | Place::Internal(host) => host,
            _ => endpoint.as_str().to_lowercase(),
        };
        let list = &self.limits.ai_services;
        let known = list.is_empty() || list.iter().any(|known| host == *known || host.ends_with(&format!(".{known}")));
        (!known)
            .then(|| (Severity::Medium, format!("AI service `{shown}` is none of those that are allowed"), "shadow-ai"))
    }
}

impl Detector for AgentWebAccess {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        let Some((severity, reason, problem)) = self.verdict(record, behaviour) else { return };
        let mut finding = Finding::about(record, severity, reason).with("problem", problem).aspect(problem);
        if let Some(taint) = &behaviour.taint {
            finding.evidence = finding.evidence.and(taint.event);
        }
        if let Some(text) = behaviour.text {
            finding = finding.with("says", signals_list(text.signals));
        }
        out.report(finding);
    }
}

type Judged = (Severity, String, &'static str);

/// Where the record goes. A tool that is given addresses goes to each.
fn destinations(details: &Details, behaviour: &BehaviourFacts<'_>) -> Vec<String> {
    let one = match details {
        Details::AgentWebFetch(d) => Some(d.url.as_str().to_owned()),
        Details::LlmsTxtAccess(d) => d.endpoint_url.as_ref().map(Text::as_str).map(str::to_owned),
        Details::AgentMarkdownIngest(d) => {
            d.source_url.as_ref().map(Text::as_str).filter(|url| url.contains("://")).map(str::to_owned)
        }
        Details::NetworkRequest(d) => Some(format!("https://{}/", d.dest_host)),
        Details::ToolCall(_) | Details::FunctionCall(_) => {
            let Some(act) = behaviour.act.as_ref() else { return Vec::new() };
            let named = act.arguments.iter().filter(|argument| is_address(argument)).map(|argument| &*argument.text);
            let target = act.target.filter(|target| is_web(target));
            return named.chain(target).map(str::to_owned).collect();
        }
        _ => None,
    };
    one.into_iter().collect()
}

/// Whether a tool is sent somewhere by this argument: because its name says so; or, whatever its name and with or without
/// a scheme, because it can only be an address inside. `https://wiki.internal/` under another name may just be spoken of.
fn is_address(argument: &Argument) -> bool {
    let text = argument.text.trim();
    let named = matches!(argument.key.as_str(), "url" | "uri" | "endpoint" | "href")
        || ["_url", "_uri"].iter().any(|end| argument.key.ends_with(end));
    if named && text.contains("://") {
        return true;
    }
    let whole = !text.is_empty() && !text.contains(char::is_whitespace) && (named || is_web(text));
    whole && (matches!(place(text), Place::Metadata) || inside_by_number(text))
}

fn inside_by_number(text: &str) -> bool {
    matches!(place(text), Place::Internal(host) if is_plain_address(&host))
}

/// `localhost` and addresses in numbers: a single word may be anything.
fn is_plain_address(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
}

/// Whether the text is an address of the web and nothing else.
fn is_web(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    ["http", "https", "ws", "wss"].iter().any(|web| scheme.trim().eq_ignore_ascii_case(web))
        && !text.trim().contains(char::is_whitespace)
}

/// What a page brings back.
fn brings(behaviour: &BehaviourFacts<'_>, web: &WebFacts) -> Option<Judged> {
    let host = plain(&web.host);
    if behaviour.text.is_some() {
        return Some((
            Severity::Medium,
            format!("a page of `{host}` holds instructions to the agent"),
            "poisoned-page",
        ));
    }
    if web.named_by_content && !web.host_known {
        return Some((Severity::Medium, format!("untrusted content sent the agent to `{host}`"), "sent-by-content"));
    }
    web.changed.then(|| (Severity::Low, format!("a page of `{host}` is not what it was"), "changed-page"))
}
