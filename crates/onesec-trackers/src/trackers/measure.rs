//! Facts, read off what the look-ups found. Nothing changes here.

use std::borrow::Cow;

use onesec_telemetry::{AccountId, AgentId, Details, Name, Party, Record, ScopeSet, Thumbprint, Timestamp};

use super::State;
use super::look::{Act, Look, Stand, concerns_access};
use super::plan::Told;
use super::reach::Heard;
use crate::accounts::Holder;
use crate::behaviour::Who;
use crate::exchange::Network;
use crate::facts::{
    AccessFacts, AccountState, AgentFacts, Baseline, ConsentFacts, ExchangeFacts, Facts, HeldToken, PartyFacts,
    RootRate, ScopeFacts, Standing, TokenOrigin,
};
use crate::window::{Class, Split, Window};

impl State {
    pub(super) fn measure<'a>(&'a self, look: &Look<'a>, record: &'a Record, told: Told<'a>) -> Facts<'a> {
        let mut facts = Facts { delegation: told.delegation, posture: told.posture, ..Facts::default() };
        facts.agent = look.agent.map(|agent| self.agent_facts(look, record, agent));
        facts.consent = self.consent_facts(record);
        facts.canary = if look.heard == Heard::Ours { None } else { self.canary_facts(record) };
        facts.lost = self.lost_facts(record);
        facts.bypass = look.heard.bypass();
        let who = Who::of(look.agent, look.agent_hash, record);
        if look.act == Act::None {
            facts.behaviour = self.behaviour_facts(who, record, (facts.agent.as_ref(), None));
            return facts;
        }
        facts.exchange = look.agent.and_then(|agent| self.exchange_facts(look, agent));
        if concerns_access(look, record) {
            facts.access = Some(self.access_facts(look, record));
            facts.parties = self.party_facts(look, record);
        }
        facts.reach = self.reach_facts(look, record, facts.access.as_ref());
        facts.scopes = self.scope_facts(look, record);
        facts.behaviour = self.behaviour_facts(who, record, (facts.agent.as_ref(), facts.scopes.as_ref()));
        if facts.posture.is_empty() {
            facts.posture.extend(self.posture_of_exchange(look, record));
        }
        facts
    }

    fn agent_facts<'a>(&'a self, look: &Look<'_>, record: &Record, agent: &AgentId) -> AgentFacts<'a> {
        let known = look.agent_slot.and_then(|slot| self.exchange.agents.get(slot));
        let proved = known.and_then(|a| a.sides.get(Class::Proved));
        let own = known.and_then(|a| a.sides.get(look.class));
        // Reported records may know what was proved; never the other way round.
        let first = [own, proved].into_iter().flatten().filter_map(|side| side.first).min();
        let last = [own, proved].into_iter().flatten().filter_map(|side| side.last).max();
        let history = own.map(|side| &side.networks).filter(|networks| !networks.is_empty());
        let network = record.network.map(Network::of);
        AgentFacts {
            first_seen: first,
            last_seen: last,
            suspended: self.suspended.get(agent.as_str()).copied(),
            registration: self.registry.find(look.agent_hash, agent.as_str()).map(AsRef::as_ref),
            confusable_with: match known {
                // Who was merely spoken of before is as new as anybody.
                Some(known) if known.registered || look.class == Class::Reported => known.confusable.as_deref(),
                _ => self.exchange.look_alike(&self.shared, agent).map(|first| &**first),
            },
            network_known: history.zip(network).map(|(networks, here)| networks.contains(&here)),
        }
    }

    fn exchange_facts(&self, look: &Look<'_>, agent: &AgentId) -> Option<ExchangeFacts> {
        if look.act == Act::Use {
            return None;
        }
        let limit = &self.config.exchange_rate;
        let known = look.agent_slot.and_then(|slot| self.exchange.agents.get(slot));
        let window = known.and_then(|a| a.sides.get(look.class)).map_or(Window::NONE, |side| &side.window);
        let counts = look.view.counts();
        let by_agent_user = look.user.map(|_| {
            let known = look.agent_user.and_then(|slot| self.exchange.agent_users.get(slot));
            let windows = known.map_or(Split::NONE, |known| &known.windows);
            windows.window(look.class).rate(look.at, counts, limit)
        });
        let pair = look.pair.and_then(|slot| self.exchange.pairs.get(slot));
        let held = pair.and_then(|p| p.token_until.map(|until| HeldToken { until, exchanges: p.while_held }));
        Some(ExchangeFacts {
            counts,
            by_agent: window.rate(look.at, counts, limit),
            by_agent_user,
            by_root: self.root_rate(look, agent),
            held_token: held.filter(|held| held.until > look.at),
        })
    }

    /// The root that the exchange counts for: the chain's, or the agent itself where it delegated further.
    pub(super) fn root_of<'a>(&'a self, look: &Look<'a>, agent: &'a AgentId) -> Option<&'a str> {
        let row = look.stand.row().and_then(|at| self.chains.row(at));
        match row {
            Some(row) if row.depth > 1 => Some(&self.chains.root(row).agent),
            _ => self.chains.is_root(look.agent_hash, agent.as_str()).then_some(agent.as_str()),
        }
    }

    fn root_rate(&self, look: &Look<'_>, agent: &AgentId) -> Option<RootRate> {
        let root = self.root_of(look, agent)?;
        let slot = self.exchange.roots.find(self.shared.seed.of(root), |known| &*known.agent == root);
        let known = slot.and_then(|slot| self.exchange.roots.get(slot)).map_or(Split::NONE, |known| &known.windows);
        let rate = known.window(look.class).rate(look.at, look.view.counts(), &self.config.exchange_rate);
        Some(RootRate { root: root.parse().ok()?, rate })
    }

    fn access_facts<'a>(&'a self, look: &Look<'a>, record: &'a Record) -> AccessFacts<'a> {
        let row = look.stand.row().and_then(|at| self.chains.row(at));
        let standing = self.standing(look);
        let thumbprint = shown_token(record);
        AccessFacts {
            account: look.account_state(self, row),
            any_user_delegated: self.any_user_delegated(look),
            other_account: row.and_then(|row| other_account(row.account.as_deref(), look, record)),
            account_unstated: row.is_some_and(|row| row.account.is_some()) && self.account_unstated(look, record),
            token_outlives_right: match standing {
                Standing::Ended { at, .. } => thumbprint.is_some_and(|token| self.outlives(look, token, at)),
                _ => false,
            },
            token: thumbprint.map(|token| self.token_origin(look, token)),
            tokens_forgotten: self.tokens.evictions() > 0,
            exclusive: look.connection.is_some_and(|c| self.config.exclusive.has(c.as_str())),
            ledger_complete: look.connection.is_some_and(|c| self.is_complete(c.as_str())),
            standing,
        }
    }

    /// Whether the exchange leaves open which of several linked accounts it is for: Auth0 would choose.
    fn account_unstated(&self, look: &Look<'_>, record: &Record) -> bool {
        let hinted = match record.event().map(|e| &e.details) {
            Some(Details::TokenExchange(d)) => d.login_hint.is_some(),
            _ => return false,
        };
        let several = |holder: &Holder| holder.accounts.iter().filter(|a| holder.linked(a).is_some()).count() > 1;
        !hinted && look.account.is_none() && look.holder_in(self).is_some_and(several)
    }

    /// Where the verified token names others than those who act. `None` where all fits.
    fn party_facts<'a>(&'a self, look: &Look<'a>, record: &'a Record) -> Option<PartyFacts<'a>> {
        let parties = record.subject.parties()?;
        let agent = look.agent?;
        let registration = self.registry.find(look.agent_hash, agent.as_str());
        let known = |name: &str| registration.map_or(agent.as_str() == name, |known| known.is_known_as(name));
        let is_agent = |party: &Party| {
            let stated = [party.sub.as_ref().map(Name::as_str), party.client.as_ref().map(AsRef::as_ref)];
            stated.into_iter().flatten().all(known)
        };
        // `azp` says who got the token: a bound only where somebody said which clients are the agent's.
        let bounded = registration.is_some_and(|known| !known.clients.is_empty());
        let facts = PartyFacts {
            claimed: parties.claimed.as_ref().filter(|claimed| Some(*claimed) != look.user),
            may_not_act: parties.may_act.as_ref().is_some_and(|party| !is_agent(party)),
            actor: parties.actors.first().filter(|party| !is_agent(party)),
            client: parties.client.as_ref().filter(|client| bounded && !known(client.as_str())),
            history: parties.actors.len() > 1 && !self.is_history(look, parties.actors.get(1..).unwrap_or_default()),
        };
        (facts != PartyFacts::default()).then_some(facts)
    }

    /// Whether the earlier actors are the agents above in the delegation's chain, from below.
    fn is_history(&self, look: &Look<'_>, earlier: &[Party]) -> bool {
        let mut row = look.stand.row().and_then(|at| self.chains.row(at));
        for party in earlier {
            row = row.and_then(|below| self.chains.row(below.parent));
            let Some(above) = row else { return false };
            let registration = self.registry.find(self.shared.seed.of(&above.agent), &above.agent);
            let known = |name: &str| registration.map_or(*above.agent == *name, |known| known.is_known_as(name));
            if !party.sub.as_ref().is_none_or(|sub| known(sub.as_str())) {
                return false;
            }
        }
        true
    }

    fn standing(&self, look: &Look<'_>) -> Standing<'_> {
        let row = look.stand.row().and_then(|at| self.chains.row(at));
        let Some(row) = row else { return Standing::Never };
        let (delegation, bound, expires_at) = (&row.id, row.bound.as_deref(), row.expires);
        match look.stand {
            Stand::Never => Standing::Never,
            Stand::Live(_) => Standing::Authorised { delegation, bound, expires_at },
            Stand::Dormant(_) => Standing::Dormant { delegation, bound, expires_at },
            Stand::Ended(_, how, at) => Standing::Ended { delegation, at, how },
        }
    }

    fn any_user_delegated(&self, look: &Look<'_>) -> Option<bool> {
        let (None, Some(agent), Some(connection)) = (look.user, look.agent, look.connection) else { return None };
        Some(self.chains.any_user(look.agent_hash, [agent.as_str(), connection.as_str()], look.at))
    }

    fn token_origin(&self, look: &Look<'_>, token: &Thumbprint) -> TokenOrigin {
        match self.token(token) {
            None => TokenOrigin::Unknown,
            Some(known) if known.holders.iter().any(|h| look.agent.is_some_and(|a| *h.agent == *a.as_str())) => {
                TokenOrigin::ThisAgent
            }
            Some(_) => TokenOrigin::Others,
        }
    }

    fn token(&self, token: &Thumbprint) -> Option<&crate::tokens::Token> {
        let hash = self.shared.seed.of_bytes(token.as_bytes());
        self.tokens.find(hash, |known| known.thumbprint == *token).and_then(|slot| self.tokens.get(slot))
    }

    fn outlives(&self, look: &Look<'_>, token: &Thumbprint, end: Timestamp) -> bool {
        let mine = |name: &str| look.agent.is_some_and(|agent| agent.as_str() == name);
        let holder = self.token(token).and_then(|known| known.holders.iter().find(|h| mine(&h.agent)));
        holder.is_some_and(|h| h.issued.0 <= end && h.expires.is_some_and(|expires| expires > look.at))
    }

    fn scope_facts<'a>(&'a self, look: &Look<'a>, record: &'a Record) -> Option<ScopeFacts<'a>> {
        let connection = look.connection?;
        let named = record.event()?.details.scopes().filter(|set| !set.is_empty());
        let link = look.link_scopes(self);
        let effective = match (named, look.act) {
            (Some(named), _) => Cow::Borrowed(named),
            (None, Act::Ask) => link.map_or(Cow::Owned(ScopeSet::empty()), Cow::Borrowed),
            (None, _) => return None,
        };
        let meaning = self.meaning(connection.as_str());
        let agent = look.agent.map_or("", AgentId::as_str);
        let user = look.user.map(AsRef::as_ref);
        let accepted = self.accounts.accepted(agent, (user, connection.as_str()), look.void);
        let pair = look.pair.and_then(|slot| self.exchange.pairs.get(slot));
        let learned = pair.and_then(|p| p.learned.get(look.class)).and_then(|side| side.valid(look.void));
        let baseline = self.baseline(look, link, learned.and_then(|side| side.scopes.as_deref()));
        // Without an agent there is no first sight of one.
        let nobody = look.agent.is_none() && look.heard != Heard::Nothing;
        if nobody && matches!(baseline, Baseline::FirstSight) {
            return None;
        }
        let mut beyond = match baseline {
            Baseline::Delegation(bound) | Baseline::Link(bound) | Baseline::Learned(bound) => {
                meaning.beyond(bound, &effective)
            }
            Baseline::FirstSight => meaning.immodest(&effective),
        };
        if !matches!(baseline, Baseline::Delegation(_)) && !beyond.is_empty() {
            beyond = accepted.iter().flatten().fold(beyond, |left, accepted| meaning.beyond(accepted, &left));
        }
        let shown = matches!(look.act, Act::Answer | Act::Use);
        let beyond_link = link.filter(|_| shown).map(|link| meaning.beyond(link, &effective)).unwrap_or_default();
        Some(ScopeFacts {
            named: named.is_some(),
            accepted: accepted.into_iter().flatten().next(),
            pending: learned.and_then(|side| side.pending.as_deref()),
            effective,
            baseline,
            beyond,
            beyond_link,
        })
    }

    /// The strongest source, and only that.
    fn baseline<'a>(
        &'a self,
        look: &Look<'_>,
        link: Option<&'a ScopeSet>,
        learned: Option<&'a ScopeSet>,
    ) -> Baseline<'a> {
        let bound = look.stand.right().and_then(|at| self.chains.row(at)).and_then(|row| row.bound.as_deref());
        let delegation = bound.map(Baseline::Delegation);
        let known = delegation.or(link.map(Baseline::Link)).or(learned.map(Baseline::Learned));
        known.unwrap_or(Baseline::FirstSight)
    }

    fn consent_facts(&self, record: &Record) -> Option<ConsentFacts> {
        let grant = Grant::of(record)?;
        let slot = self.apps.find(self.shared.seed.of(grant.app), |known| &*known.id == grant.app);
        let known = slot.and_then(|slot| self.apps.get(slot));
        let window = self.config.consent_window;
        Some(ConsentFacts {
            users_in_hour: known
                .map_or(1, |app| app.users_with(grant.user, (record.at, Who::of(None, 0, record).class), window)),
            publisher_verified: grant.verified.or(known.map(|app| app.verified)).unwrap_or(false),
            app_name: grant.name.and_then(|name| Name::new(name).ok()),
        })
    }
}

/// A grant to an application, whichever kind tells of it.
#[derive(Debug)]
pub(super) struct Grant<'a> {
    pub(super) app: &'a str,
    pub(super) user: &'a str,
    /// What somebody with authority said about the publisher.
    pub(super) verified: Option<bool>,
    name: Option<&'a str>,
}

impl<'a> Grant<'a> {
    pub(super) fn of(record: &'a Record) -> Option<Self> {
        let (app, user, verified, name) = match &record.event()?.details {
            Details::OauthGrant(d) => (&d.app_id, &d.username, d.publisher_verified, &d.app_name),
            Details::OauthConsent(d) => (&d.app_id, &d.username, d.publisher_verified, &d.app_name),
            _ => return None,
        };
        // Without authority only the less trusted value counts.
        let verified = verified.filter(|verified| !verified || record.has_authority());
        Some(Self { app: app.as_str(), user: user.as_str(), verified, name: name.as_ref().map(|n| n.as_str()) })
    }
}

/// The token that a record shows.
fn shown_token(record: &Record) -> Option<&Thumbprint> {
    match &record.event()?.details {
        Details::ConnectedAccountUsage(d) => d.token_thumbprint.as_ref(),
        Details::TokenExchangeResponse(d) => d.token_thumbprint.as_ref(),
        _ => None,
    }
}

/// The account that the record asks for, if the delegation is for another.
fn other_account(bound: Option<&str>, look: &Look<'_>, record: &Record) -> Option<AccountId> {
    let bound = bound?;
    if let Some(account) = look.account.filter(|account| *account != bound) {
        return AccountId::new(account).ok();
    }
    let hint = match &record.event()?.details {
        Details::TokenExchange(d) => d.login_hint.as_ref()?.as_str(),
        _ => return None,
    };
    // A hint that is no identifier is another account all the same.
    let named = || AccountId::new(hint).or_else(|_| AccountId::new(&Thumbprint::of(hint.as_bytes()).to_string())).ok();
    if hint.trim() == bound { None } else { named() }
}

impl AccountState<'_> {
    pub(super) const fn is_linked(&self) -> bool {
        matches!(self, Self::Linked { .. })
    }
}
