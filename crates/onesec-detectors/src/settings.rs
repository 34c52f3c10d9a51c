//! What the built-in detectors are set to.

use std::sync::Arc;

use onesec_telemetry::catalogue::Catalogue;

use crate::agent_web_access::WebLimits;
use crate::consent_phishing::ConsentLimits;
use crate::rogue_agent::RogueLimits;
use crate::tool_misuse::ToolLimits;
use crate::user_fan_out::UserLimits;

/// Settings of all built-in detectors. Windows and rates that trackers count by are set there.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The scope catalogue.
    pub catalogue: Arc<Catalogue>,
    /// When a grant to an application is too much.
    pub consent: ConsentLimits,
    /// When the use of a tool is misuse.
    pub tools: ToolLimits,
    /// When an agent has gone its own way.
    pub rogue: RogueLimits,
    /// When an agent goes too far on the web.
    pub web: WebLimits,
    /// Whether messages between agents must be signed.
    pub require_signatures: bool,
    /// From so many connections on that nobody delegated, an agent goes round.
    pub connections: u32,
    /// For how many users an agent may exchange.
    pub users: UserLimits,
    /// More exchanges than that are many for an agent that has just woken.
    pub waking_burst: u32,
    /// Clients whose work it is to change the Auth0 tenant.
    pub tenant_provisioners: Vec<String>,
    /// From so many exchanges on while a token is held, an agent has no cache.
    pub storm: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            catalogue: Arc::new(Catalogue::builtin().clone()),
            consent: ConsentLimits::default(),
            tools: ToolLimits::default(),
            rogue: RogueLimits::default(),
            web: WebLimits::default(),
            require_signatures: false,
            connections: 4,
            users: UserLimits::default(),
            waking_burst: 10,
            tenant_provisioners: Vec::new(),
            storm: 5,
        }
    }
}
