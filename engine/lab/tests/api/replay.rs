//! What a real API server answered, asked again in the same order.

use std::sync::Arc;
use std::time::Duration;

use periplus_lab::controllers::Controllers;
use serde_json::{Value, json};

use crate::support::{Http, NoPods, client, differences, store};

const RECORDED: &str = include_str!("../fixtures/exchanges.jsonl");

/// Exchanges whose body is compared in part, with the paths that are left out and why.
const PARTLY: [(&str, &str, &str); 4] = [
    ("deploy-delete-foreground", "/status/conditions/1/message", "the hash of a pod template is the lab's own"),
    ("list-limit", "/metadata/remainingItemCount", "the recorded cluster's Istio had put one more ConfigMap there"),
    ("svc-ssa", "/spec/clusterIP", "an allocated address"),
    (
        "deploy-delete-foreground",
        "/metadata/managedFields",
        "the real server splits replicas off on a scale that changes nothing",
    ),
];

#[tokio::test(start_paused = true)]
async fn every_recorded_exchange_is_answered_alike() {
    let store = store();
    tokio::spawn(Controllers::new(store.clone(), "PEM".to_owned()).run());
    let http = client(&store, Arc::new(NoPods));
    let mut problems = Vec::new();
    let mut count = 0;
    for line in RECORDED.lines() {
        let exchange: Value = serde_json::from_str(line).expect("a recorded exchange");
        let name = exchange["name"].as_str().expect("a name");
        let mut found = Vec::new();
        if name == "watch" {
            replay_watch(&http, &store.revision().to_string(), &exchange, &mut found).await;
        } else {
            replay(&http, name, &exchange, &mut found).await;
        }
        problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
        // Time to the controllers, which the real ones had too.
        tokio::time::sleep(Duration::from_millis(1)).await;
        count += 1;
    }
    assert_eq!(count, 62);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Sends a recorded request. The answer's body, or a watch's events, unless the status is another than recorded.
pub(crate) async fn ask(http: &Http, exchange: &Value, problems: &mut Vec<String>) -> Option<Value> {
    let (request, recorded) = (&exchange["request"], &exchange["response"]);
    let text = |key: &str| request[key].as_str().unwrap_or_default();
    let headers: Vec<(&str, &str)> = ["accept", "content-type"]
        .into_iter()
        .map(|key| (key, text(key)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let body = match request.get("body") {
        None => String::new(),
        Some(Value::String(raw)) => raw.clone(),
        Some(other) => other.to_string(),
    };
    let answer = http.send(text("method"), text("path"), &headers, body).await;
    if u64::from(answer.status.as_u16()) != recorded["status"] {
        problems.push(format!("status {}, recorded {}: {}", answer.status, recorded["status"], answer.json()));
        return None;
    }
    let header =
        |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if header("content-type") != recorded["content-type"].as_str().unwrap_or_default() {
        problems.push(format!("content type {:?}, recorded {}", header("content-type"), recorded["content-type"]));
    }
    let warnings: Vec<Value> =
        answer.headers.get_all("warning").iter().map(|value| value.to_str().unwrap_or_default().into()).collect();
    let recorded_warnings = recorded["warning"].as_array().cloned().unwrap_or_default();
    differences("warning", &recorded_warnings.into(), &warnings.into(), problems);
    Some(if recorded["body"].is_array() { answer.events() } else { answer.json() })
}

async fn replay(http: &Http, name: &str, exchange: &Value, problems: &mut Vec<String>) {
    let Some(mut found) = ask(http, exchange, problems).await else { return };
    let mut recorded = exchange["response"]["body"].clone();
    if matches!(name, "core-v1" | "apps-v1" | "istio-v1" | "aggregated-core") {
        narrow_discovery(&recorded, &mut found);
        sort_discovery(&mut recorded);
        sort_discovery(&mut found);
    }
    for (_, path, _) in PARTLY.iter().filter(|(partly, ..)| *partly == name) {
        for body in [&mut recorded, &mut found] {
            let (parent, key) = path.rsplit_once('/').expect("a path");
            body.pointer_mut(parent)
                .and_then(Value::as_object_mut)
                .and_then(|map| map.remove(key))
                .expect("a path that is there");
        }
    }
    if name == "svc-ssa" {
        found["spec"]["clusterIPs"] = recorded["spec"]["clusterIPs"].clone();
    }
    differences("", &recorded, &found, problems);
}

/// The recording holds a part of the resources; the lab serves them all.
fn narrow_discovery(recorded: &Value, found: &mut Value) {
    let lists = |body: &Value| -> Vec<&'static str> {
        let paths = ["/resources", "/items/0/versions/0/resources"];
        paths.into_iter().filter(|path| body.pointer(path).is_some()).collect()
    };
    for path in lists(recorded) {
        let names: Vec<String> =
            recorded.pointer(path).and_then(Value::as_array).into_iter().flatten().map(resource_name).collect();
        if let Some(list) = found.pointer_mut(path).and_then(Value::as_array_mut) {
            list.retain(|one| names.contains(&resource_name(one)));
            for (own, recorded) in list.iter_mut().filter_map(|own| {
                let twin =
                    recorded.pointer(path)?.as_array()?.iter().find(|one| resource_name(one) == resource_name(own))?;
                Some((own, twin))
            }) {
                let subresources: Vec<Value> = recorded["subresources"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|one| one["subresource"].clone())
                    .collect();
                if let Some(list) = own.get_mut("subresources").and_then(Value::as_array_mut) {
                    list.retain(|one| subresources.contains(&one["subresource"]));
                }
            }
        }
    }
}

/// The real server lists custom resources in no order.
fn sort_discovery(body: &mut Value) {
    if let Some(list) = body.pointer_mut("/resources").and_then(Value::as_array_mut) {
        list.sort_by_key(resource_name);
    }
}

fn resource_name(resource: &Value) -> String {
    resource.get("name").or_else(|| resource.get("resource")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The recorder created, changed and deleted one object while it watched.
async fn replay_watch(http: &Http, revision: &str, exchange: &Value, problems: &mut Vec<String>) {
    let path = exchange["request"]["path"].as_str().expect("a path").replace("<rv>", revision);
    let collection = "/api/v1/namespaces/rec/configmaps";
    let object = |x: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "w"}, "data": {"x": x}}).to_string()
    };
    let change = async {
        http.send("POST", collection, &[], object("1")).await;
        http.send("PUT", &format!("{collection}/w"), &[], object("2")).await;
        http.send("DELETE", &format!("{collection}/w"), &[], "").await;
    };
    let (answer, ()) = tokio::join!(http.send("GET", &path, &[], ""), change);
    differences("", &exchange["response"]["body"], &answer.events(), problems);
}
