//! Who is asking: registered agents, issuers that vouch for them, proofs of possession, and delegations that are signed.
//!
//! All of it is the edge's: it needs keys, time and network. What it finds out becomes part of the record.

mod chains;
mod issuers;
mod possession;
mod registry;
mod signer;
mod told;
mod used;

pub(crate) use chains::{Introduced, Links, NoLink};
pub use issuers::IssuerConfig;
pub(crate) use issuers::{AgentIssuers, NotVouched};
pub(crate) use possession::{Asked, PeerCertificate, Shown, ShownProblem};
pub(crate) use registry::{Agents, Registered};
pub(crate) use signer::{MAX_LINK_LIFE, Signer};
pub(crate) use told::{Bearer, told};
pub(crate) use used::{UsedProofs, used_row};

use onesec_telemetry::TenantId;

/// The audience of what is signed for one tenant of ours: a delegation for one proves nothing to another.
pub(crate) fn audience_of(tenant: &TenantId) -> String {
    format!("onesec:{tenant}")
}

/// Everything that proves who is asking.
pub(crate) struct Identity {
    pub(crate) agents: Agents,
    pub(crate) issuers: AgentIssuers,
    pub(crate) links: Links,
    pub(crate) signer: Signer,
    pub(crate) used: UsedProofs,
}

#[cfg(test)]
impl Identity {
    /// Nobody is registered, no issuer is trusted.
    pub(crate) fn without_past(dir: &std::path::Path, now: onesec_telemetry::Timestamp) -> Self {
        let signer = Signer::open(dir, now).expect("a signing key");
        Self {
            agents: Agents::default(),
            issuers: AgentIssuers::default(),
            links: Links::new(signer.clone(), None, (std::time::Duration::from_secs(86_400), 3)),
            signer,
            used: UsedProofs::default(),
        }
    }
}
