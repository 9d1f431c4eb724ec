//! CustomResourceDefinitions and custom resources, against what kube-apiserver v1.36.2 answered to the same requests in the same order.

use std::sync::Arc;

use serde_json::Value;

use crate::replay::ask;
use crate::support::{Http, NoPods, client, differences, store};

/// Recorded without managed fields, which `exchanges.jsonl` has.
const RECORDED: &str = include_str!("../fixtures/custom-resources.jsonl");

#[tokio::test(start_paused = true)]
async fn custom_resources_are_answered_as_recorded() {
    let mut problems = Vec::new();
    let mut http = None;
    for line in RECORDED.lines() {
        let exchange: Value = serde_json::from_str(line).expect("a recorded exchange");
        if exchange["fresh"] == true {
            http = Some(client(&store(), Arc::new(NoPods)));
        }
        let http = http.as_ref().expect("the first exchange is with a fresh server");
        let mut found = Vec::new();
        replay(http, &exchange, &mut found).await;
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", exchange["name"])));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

async fn replay(http: &Http, exchange: &Value, problems: &mut Vec<String>) {
    let Some(mut found) = ask(http, exchange, problems).await else { return };
    let mut recorded = exchange["response"]["body"].clone();
    for body in [&mut recorded, &mut found] {
        without_managed_fields(body);
        sort_causes(body);
    }
    differences("", &recorded, &found, problems);
}

fn without_managed_fields(body: &mut Value) {
    match body {
        Value::Object(map) => {
            map.remove("managedFields");
            map.values_mut().for_each(without_managed_fields);
        }
        Value::Array(list) => list.iter_mut().for_each(without_managed_fields),
        _ => {}
    }
}

/// The real server walks maps in no order, and reports in it.
fn sort_causes(body: &mut Value) {
    let Some(causes) = body.pointer_mut("/details/causes").and_then(Value::as_array_mut) else { return };
    if causes.len() > 1 {
        causes.sort_by_key(Value::to_string);
        let message = body["message"].as_str().unwrap_or_default();
        let length = message.len();
        let head = message.split_once("is invalid:").map_or(message, |(head, _)| head).to_owned();
        body["message"] = format!("{head}is invalid, in {length} bytes").into();
    }
}
