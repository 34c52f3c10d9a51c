//! Addresses that the firewall of this machine refuses, each for a while. No action of its own: blocking composes it.

use std::net::IpAddr;
use std::time::Duration;

use onesec_telemetry::network::Network;

use nft::Nft;

mod nft;
mod rules;

/// A table of our own in nftables, with the addresses in sets whose elements time out by themselves: what is blocked
/// ends in time even where nobody is left to end it.
#[derive(Debug, Clone)]
pub struct Firewall {
    nft: Nft,
    spared: Vec<Network>,
}

impl Firewall {
    /// Looks whether there is an `nft`, and whether we may use it.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn detect() -> Result<Self, String> {
        Self::with(Nft::find()?)
    }

    fn with(nft: Nft) -> Result<Self, String> {
        nft.probe()?;
        Ok(Self { nft, spared: Vec::new() })
    }

    /// Never blocks addresses of `networks`: trusted proxies, and whatever else must not be cut off.
    #[must_use]
    pub fn sparing(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.spared.extend(networks);
        self
    }

    /// Refuses everything from `address` for so long, from now on: blocking what is blocked begins anew. Returns once it is
    /// seen to be so.
    ///
    /// # Errors
    /// Why it is not, in a sentence.
    pub async fn block(&self, address: IpAddr, lasts: Duration) -> Result<(), String> {
        let address = address.to_canonical();
        self.may_block(address)?;
        self.nft.apply(&rules::block(address, lasts)).await?;
        match self.is_blocked(address).await? {
            true => Ok(()),
            false => Err(format!("nft blocked {address}, and the kernel does not list it")),
        }
    }

    /// Ends it; nothing happens where there is nothing to end. Returns once it is seen to be so.
    ///
    /// # Errors
    /// Why it is still blocked, in a sentence.
    pub async fn unblock(&self, address: IpAddr) -> Result<(), String> {
        let address = address.to_canonical();
        self.nft.apply(&rules::unblock(address)).await?;
        match self.is_blocked(address).await? {
            false => Ok(()),
            true => Err(format!("nft unblocked {address}, and the kernel still lists it")),
        }
    }

    /// Whether the kernel refuses `address`: it is in its set, and the rule that refuses what is in the set is in force.
    ///
    /// # Errors
    /// Why nobody knows, in a sentence.
    pub async fn is_blocked(&self, address: IpAddr) -> Result<bool, String> {
        let listed = self.nft.list().await?;
        Ok(listed.is_some_and(|listed| rules::blocks(&listed, address.to_canonical())))
    }

    /// Whether blocking `address` would cut off ourselves or somebody who is spared.
    fn may_block(&self, address: IpAddr) -> Result<(), String> {
        let link_local = match address {
            IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        if link_local || address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return Err(format!("{address} is this machine's or its network's own"));
        }
        if self.spared.iter().any(|network| network.contains(address)) {
            return Err(format!("{address} is never to be blocked"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
