//! The catalogue of kinds and their JSON Schemas, made from the same table as the types.

use serde_json::{Map, Value, json};

use super::field::FieldType as _;
use super::kinds::Kind;
use super::spec::{KindSpec, Need};
use crate::id::{AppId, Name};

/// The version of the contract.
#[must_use]
pub const fn contract_version() -> &'static str {
    "1.0.0"
}

const COMMON: [&str; 7] = ["agent_id", "user_id", "connection", "task_id", "session_id", "trace_id", "client_id"];

/// What `GET /api/v1/event-schemas` answers; `category` narrows it.
#[must_use]
pub fn event_schemas(category: Option<&str>) -> Value {
    let kinds = Kind::ALL.iter().copied().chain([Kind::Custom]).map(Kind::spec);
    let wanted = kinds.filter(|spec| category.is_none_or(|c| spec.category.as_str() == c));
    let schemas: Vec<Value> = wanted.map(|spec| entry(&spec)).collect();
    json!({"version": contract_version(), "total": schemas.len(), "schemas": schemas})
}

fn entry(spec: &KindSpec) -> Value {
    let (required, optional) = keys(spec);
    let name = if spec.kind == Kind::Custom { "custom.<name>" } else { spec.kind.as_str() };
    json!({
        "type": name,
        "category": spec.category.as_str(),
        "description": spec.description.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "),
        "changes_trust": spec.changes_trust,
        "required_keys": required,
        "optional_keys": optional,
        "json_schema": kind_schema(spec.kind),
    })
}

fn keys(spec: &KindSpec) -> (Vec<&'static str>, Vec<&'static str>) {
    let needs: Vec<&str> = spec.needs.iter().map(|n: &Need| n.field()).collect();
    let own = |required: bool| spec.fields.iter().filter(move |f| f.required == required).map(|f| f.name);
    let required = needs.iter().copied().chain(own(true)).collect();
    let spare = COMMON.iter().copied().filter(|c| !needs.contains(c));
    (required, own(false).chain(spare).collect())
}

/// The JSON Schema (draft 2020-12) of one kind's whole event.
#[must_use]
pub fn kind_schema(kind: Kind) -> Value {
    let spec = kind.spec();
    let (required, _) = keys(&spec);
    let mut properties = Map::new();
    for name in COMMON {
        properties.insert(name.into(), if name == "client_id" { AppId::schema() } else { Name::schema() });
    }
    let mut any_of = Vec::new();
    for field in spec.fields {
        let mut schema = (field.schema)();
        if let (Value::Object(map), true) = (&mut schema, field.changes_trust) {
            map.insert("x-onesec-changes-trust".into(), Value::Bool(true));
        }
        for alias in field.aliases {
            properties.insert((*alias).into(), schema.clone());
        }
        properties.insert(field.name.into(), schema);
        if field.required && !field.aliases.is_empty() {
            let spellings = std::iter::once(&field.name).chain(field.aliases);
            any_of.push(json!({"anyOf": spellings.map(|s| json!({"required": [s]})).collect::<Vec<_>>()}));
        }
    }
    let strictly: Vec<&str> = required
        .into_iter()
        .filter(|name| spec.fields.iter().all(|f| f.name != *name || f.aliases.is_empty()))
        .collect();
    let mut details = json!({"type": "object", "properties": properties, "required": strictly});
    if let (Value::Object(map), false) = (&mut details, any_of.is_empty()) {
        map.insert("allOf".into(), Value::Array(any_of));
    }
    let kind_name = match kind {
        Kind::Custom => json!({"type": "string", "pattern": "^custom\\.[a-z0-9_.-]{1,64}$"}),
        _ => json!({"const": kind.as_str()}),
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.as_str(),
        "type": "object",
        "properties": {
            "id": Name::schema(),
            "type": kind_name,
            "timestamp": <crate::time::Timestamp as super::field::FieldType>::schema(),
            "source": {"type": "string"}, "severity": {"type": "string"}, "summary": {"type": "string"},
            "source_ip": {"type": "string"}, "user_agent": {"type": "string"}, "request_id": {"type": "string"},
            "details": details,
        },
        "required": if spec.needs.is_empty() && spec.fields.iter().all(|f| !f.required) { json!(["type"]) } else { json!(["type", "details"]) },
    })
}
