//! Addresses of webhooks are secrets: nobody is told, and no file has them.

use std::path::Path;

use onesec_e2e::world::ANA;
use onesec_e2e::{Receiver, Reply, World};
use serde_json::{Value, json};

use super::{hook, on_strays, secret, strays};
use crate::plan;

const PATH: &str = "/services/T0WEBHOOKPATH/B0WEBHOOKPATH/x7Kq2WebhookPath";

fn files(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).expect("readable").map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.file_name().is_some_and(|name| name != "test-config.yaml") {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
        }
    }
}

/// Whatever an operator can ask for.
fn answers(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<String> = [
        "enforcement",
        "enforcement/presets",
        "responses",
        "approvals",
        "alerts",
        "events?limit=1000",
        "status",
        "keys",
    ]
    .map(|path| format!("/api/v1/{path}"))
    .to_vec();
    paths.push("/metrics".to_owned());
    for (list, name) in [("responses", "responses"), ("approvals", "approvals"), ("alerts", "alerts")] {
        let items = world.listed(&format!("/api/v1/{list}"), name);
        paths.extend(items.iter().filter_map(|item| item["id"].as_str()).map(|id| format!("/api/v1/{list}/{id}")));
    }
    paths.into_iter().map(|path| (path.clone(), world.admin().get(&path).body)).collect()
}

#[test]
fn address_and_secret_of_a_webhook_are_nowhere() {
    let (good, bad) = (Receiver::start(&[Reply::Status(204)]), Receiver::start(&[Reply::Status(400)]));
    let of = |receiver: &Receiver| {
        let mut hook = hook(receiver);
        hook["url"] = json!(receiver.url(&format!("{PATH}?token=QueryOfWebhook")));
        hook
    };
    let gone = json!({"url": "http://127.0.0.1:9/services/T0WEBHOOKPATH", "secret": secret(), "allow_private": true});
    let asking = json!({"name": "ask", "match": {"detectors": ["unauthorized-agent"]}, "approval": {},
                        "actions": [{"webhook": of(&good)}]});
    let mut policies = on_strays(&json!(["webhook", {"webhook": of(&bad)}, {"webhook": gone}]));
    policies.as_array_mut().expect("a list").push(asking);
    let mut world = plan()
        .live()
        .with("enforcement", json!({"webhook": of(&good), "policies": policies}))
        .env("RUST_LOG", "trace")
        .start();
    strays(&world, "mallory", ANA);
    assert!(good.at_least(1)[0].path.contains("QueryOfWebhook"));
    assert_eq!(bad.at_least(1).len(), 1);
    onesec_e2e::eventually("one has failed", || world.receipts("status=failed").pop());
    std::thread::sleep(std::time::Duration::from_secs(1));
    let mut said = world.process.log();
    said.push(world.reload("/enforcement/webhook/url", json!(format!("ftp://127.0.0.1{PATH}"))));
    said.push(world.reload("/enforcement/webhook/secret", json!(format!("whsec_!{}", secret()))));
    said.push(world.reload("/enforcement/policies/0/actions/1/webhook/colour", Value::Null));
    said.extend(world.process.log());
    let mut all = answers(&world);
    assert_eq!(world.process.terminate(), Some(0));
    said.extend(world.process.log());
    said.extend(world.process.output());
    all.push(("what it said".to_owned(), said.join("\n").into_bytes()));
    files(world.dir(), &mut all);
    assert!(all.len() > 15 && all.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 100_000);
    let key = secret().trim_start_matches("whsec_").to_owned();
    for (place, bytes) in &all {
        let text = String::from_utf8_lossy(bytes);
        for hidden in ["WEBHOOKPATH", "WebhookPath", "QueryOfWebhook", &key] {
            let at = text.find(hidden);
            assert!(
                at.is_none(),
                "{hidden} is in {place}: {:?}",
                at.map(|at| text.get(at.saturating_sub(80)..at + 80))
            );
        }
    }
    let config = super::preset::refused_start(
        &json!({"enforcement": {"webhook": {"url": format!("ftp://x{PATH}"), "secret": secret()}}}),
    );
    assert!(!config.contains("WebhookPath") && !config.contains(&key), "{config}");
}
