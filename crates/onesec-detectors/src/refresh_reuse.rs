//! `refresh-reuse`: a refresh token that was used up is used again.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{Details, Kind};

/// Fires when Auth0's log tells that a rotated refresh token came back: a token that may be used once has two holders, and one
/// of them stole it (RFC 9700, section 4.14.2).
///
/// **Blind spot**: refresh tokens that do not rotate, as those for Token Vault must not; a thief who comes first and is
/// never followed.
#[derive(Debug)]
pub struct RefreshReuse(Descriptor);

impl RefreshReuse {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["RFC 9700, section 4.14.2"],
            kinds: &[Kind::Custom],
            stateless: true,
            blind_spot: "refresh tokens that do not rotate; a thief who is never followed",
            mitigation: "Revoke the user's refresh tokens of that client, and let the user sign in again; a client that \
                         repeats a request whose answer got lost does the same without any theft.",
            ..Descriptor::new("refresh-reuse", Module::TokenVault, "Refresh token used again")
        })
    }
}

impl Default for RefreshReuse {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for RefreshReuse {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, _: &Facts<'_>, out: &mut Findings) {
        let Some(event) = record.event() else { return };
        let is = matches!(&event.details, Details::Custom(custom) if custom.name == "auth0.refresh_reused");
        if !is {
            return;
        }
        let finding = Finding::about(record, Severity::High, "a refresh token that was used up was used again");
        out.report(match &event.common.client_id {
            Some(client) => finding.with("client_id", client.as_str()),
            None => finding,
        });
    }
}
