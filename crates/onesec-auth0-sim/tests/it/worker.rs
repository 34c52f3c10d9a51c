//! What a privileged worker signs is looked at closely.

use super::clients::{NOW, assertion, change, fresh_id, new_key, sign, still_tenant};
use super::*;

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const VAULT_TOKEN: &str = "http://auth0.com/oauth/token-type/token-vault-access-token";
const TYPE: &str = "token-vault-req+jwt";

fn request(changes: Value) -> Value {
    let mut claims = json!({"iss": "worker", "sub": ANA, "aud": "https://demo-tenant.eu.auth0.test/",
        "jti": fresh_id(), "iat": NOW, "exp": NOW + 60, "audit_context": "why"});
    change(&mut claims, changes);
    claims
}

fn params(subject: String, scope: Option<&str>) -> Vec<(&'static str, String)> {
    let mut params: Vec<(&'static str, String)> =
        [("grant_type", VAULT), ("subject_token_type", JWT), ("requested_token_type", VAULT_TOKEN)]
            .map(|(name, value)| (name, value.to_owned()))
            .into();
    params.extend([("connection", "google-oauth2".to_owned()), ("subject_token", subject)]);
    params.extend(scope.map(|scope| ("scope", scope.to_owned())));
    params
}

#[tokio::test]
async fn only_a_fresh_genuine_request_is_served_and_once() {
    let (sim, key) = (still_tenant().await, new_key());
    let spec =
        ClientSpec::worker("worker", key.public_jwk("k1")).with_worker_grants("google-oauth2", "a b").expect("few");
    sim.create_client(spec);
    let ask = async |subject: String, scope| {
        let body = form(&[params(subject, scope), assertion(&key, "worker", json!({}))].concat());
        post(&sim, &[FORM], &body).await
    };
    let good = sign(&key, TYPE, &request(json!({})));
    let (status, body) = ask(good.clone(), None).await;
    assert_eq!((status, &body["scope"], &body["issued_token_type"]), (200, &json!("a b"), &json!(VAULT_TOKEN)));
    assert_eq!(error_of(ask(good, None).await), (401, "invalid_request".into()), "used once");
    let oldest = sign(&key, TYPE, &request(json!({"iat": NOW - 60})));
    assert_eq!(ask(oldest, Some("b")).await.1["scope"], json!("b"));
    for scope in ["c", "a d", "a c"] {
        let subject = sign(&key, TYPE, &request(json!({})));
        assert_eq!(error_of(ask(subject, Some(scope)).await), (403, "access_denied".into()), "{scope}");
    }
    let refused = [
        sign(&key, "JWT", &request(json!({}))),
        sign(&new_key(), TYPE, &request(json!({}))),
        sign(&key, TYPE, &request(json!({"iss": "other"}))),
        sign(&key, TYPE, &request(json!({"aud": "https://elsewhere.test/"}))),
        sign(&key, TYPE, &request(json!({"iat": NOW - 61}))),
        sign(&key, TYPE, &request(json!({"iat": NOW + 1}))),
        sign(&key, TYPE, &request(json!({"exp": NOW}))),
        sign(&key, TYPE, &request(json!({"jti": ""}))),
        sign(&key, TYPE, &request(json!({"audit_context": ""}))),
        sign(&key, TYPE, &request(json!({"audit_context": "x".repeat(257)}))),
    ];
    for subject in refused {
        assert_eq!(error_of(ask(subject.clone(), None).await), (401, "invalid_request".into()), "{subject}");
    }
    let nobody = sign(&key, TYPE, &request(json!({"sub": "auth0|nobody"})));
    assert_eq!(error_of(ask(nobody, None).await), (401, "user_not_found".into()));
}
