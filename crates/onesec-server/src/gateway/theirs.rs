//! Exchanges at a custom domain: the tenant's own client asks with its own credentials, and gets what Auth0 gives it.

use onesec_auth0::{ExchangeError, IssuedToken, PassThrough, VerifyError};
use onesec_identity::{IdTokenPolicy, verify_id_token};
use onesec_telemetry::{Secret, Thumbprint};
use serde::Deserialize;

use super::answer::{GatewayAnswer, Problem};
use super::exchange::new_exchange_id;
use super::governed::TokenRequest;
use super::{AskingAgent, ExchangeRequest, Gateway, Inner, SubjectTokenType};

/// Names of parameters that say who the client is.
const CLIENT: [&str; 4] = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];

impl Gateway {
    /// Whether Auth0 knows the caller as `client`: shown by a refresh grant of its own, which names the user besides.
    /// What was shown once, with the same credentials and the same token, is remembered for a while.
    ///
    /// # Errors
    /// The answer where that cannot be known: another subject than a refresh token, an assertion, or Auth0 is down.
    pub async fn is_client(
        &self,
        client: &str,
        wanted: &ExchangeRequest,
        request: &TokenRequest,
    ) -> Result<bool, GatewayAnswer> {
        let shown = self.0.show_client(client, wanted, request).await;
        shown.map_err(|problem| problem.into_answer(new_exchange_id()))
    }

    /// Exchanges as [`Gateway::exchange`] does, but upstream with the caller's own request.
    pub async fn exchange_as(
        &self,
        agent: AskingAgent,
        wanted: ExchangeRequest,
        request: TokenRequest,
    ) -> GatewayAnswer {
        let inner = self.0.clone();
        let task = tokio::spawn(async move { inner.exchange(agent, wanted, Some(request)).await });
        task.await.unwrap_or_else(|_| GatewayAnswer::unavailable("guard-down", None))
    }
}

impl Inner {
    async fn show_client(
        &self,
        client: &str,
        wanted: &ExchangeRequest,
        request: &TokenRequest,
    ) -> Result<bool, Problem> {
        if wanted.subject_token_type != SubjectTokenType::RefreshToken {
            return Err(Problem::invalid("here only refresh tokens show whose client asks: add `X-API-Key`"));
        }
        // Whatever is sent on from here, now or later, is Auth0's to see.
        request.forwarded()?;
        if request.texts().any(|(name, _)| name == "client_assertion") {
            // Once to show the client, once for the exchange; and Auth0 takes each assertion once.
            return Err(Problem::invalid(
                "here a client assertion is used up before the exchange: authenticate by secret",
            ));
        }
        let (key, asked) = (credentials_of(client, wanted, request), self.core.now());
        let lately = self.shown.get(&key).is_some_and(|at| asked.since(at) < super::REMEMBER_CLIENTS);
        // Whose token it is was forgotten when Auth0 refused an exchange of it; only its own client can ask that again.
        if lately && self.resolver.remembers(&wanted.subject_token.thumbprint(), asked) {
            return Ok(true);
        }
        let mut form: Vec<(&str, &str)> = request.texts().filter(|(name, _)| CLIENT.contains(name)).collect();
        let token = wanted.subject_token.expose_to_wire();
        form.extend([("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "openid")]);
        let authorization = request.authorization.as_ref();
        let pass = PassThrough { form: &form, authorization, dpop: None, forwarded_for: request.network };
        let answer = self.lanes.refresh().endpoint.pass_through(pass).await;
        let answer = answer.map_err(|error| Problem::from_upstream(&error))?;
        if answer.status >= 500 || answer.status == 429 {
            return Err(Problem::from_upstream(&ExchangeError::Unreachable { timed_out: false, maybe_sent: true }));
        }
        let tokens: Tokens = serde_json::from_slice(answer.body.expose_to_wire()).unwrap_or_default();
        let Some(id_token) = tokens.id_token.filter(|_| answer.status == 200) else { return Ok(false) };
        let policy =
            IdTokenPolicy { issuer: self.lanes.refresh().endpoint.config().issuer(), client_id: client.to_owned() };
        let now = self.core.now();
        let proof = self.jwks.verify(|keys| verify_id_token(&id_token, keys, &policy, now)).await;
        let proof = match proof {
            Ok(proof) => proof,
            Err(VerifyError::Token(_)) => return Ok(false),
            Err(VerifyError::Keys(_)) => {
                return Err(Problem::from_upstream(&ExchangeError::Unreachable { timed_out: false, maybe_sent: true }));
            }
        };
        // The same grant names the user: asking again as our own client would be refused, the token is not its own.
        self.resolver.remember(&wanted.subject_token.thumbprint(), &proof, now);
        self.shown.insert(key, now);
        Ok(true)
    }

    pub(super) async fn trade_theirs(&self, request: &TokenRequest) -> Result<IssuedToken, ExchangeError> {
        let form: Vec<(&str, &str)> = request.texts().filter(|(name, _)| *name != "onesec_delegation").collect();
        let pass = PassThrough {
            form: &form,
            authorization: request.authorization.as_ref(),
            dpop: request.dpop.as_ref(),
            forwarded_for: request.network,
        };
        let answer = self.lanes.refresh().endpoint.pass_through(pass).await?;
        let secrets: Vec<&Secret> = request.secrets().collect();
        answer.issued_token(&secrets)
    }
}

/// Who asks with what, as one digest.
fn credentials_of(client: &str, wanted: &ExchangeRequest, request: &TokenRequest) -> Thumbprint {
    let mut text = format!("{client}\u{1f}{}", wanted.subject_token.thumbprint());
    for (name, value) in request.texts().filter(|(name, _)| CLIENT.contains(name)) {
        text.push_str(&format!("\u{1f}{name}={}", Thumbprint::of(value.as_bytes())));
    }
    if let Some(header) = &request.authorization {
        text.push_str(&format!("\u{1f}{}", header.thumbprint()));
    }
    Thumbprint::of(text.as_bytes())
}

#[derive(Deserialize, Default)]
struct Tokens {
    id_token: Option<Secret>,
}
