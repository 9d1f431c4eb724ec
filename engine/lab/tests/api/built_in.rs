//! Built-in kinds — lists, watches, patches, applies, and the rules each kind has of its own — against what was recorded from kube-apiserver v1.36.2, asked again in the same order.
//!
//! Uids, versions, times, allocated addresses and certificates are masked in the recording; all else must be the same, managed fields and the order of causes too.

use std::sync::Arc;
use std::time::Duration;

use periplus_lab::controllers::Controllers;
use serde_json::Value;

use crate::replay::ask;
use crate::support::{NoPods, client, differences, store};

const RECORDED: &str = include_str!("../fixtures/built-in-kinds.jsonl");

#[tokio::test(start_paused = true)]
async fn built_in_kinds_are_answered_as_recorded() {
    let mut problems = Vec::new();
    let mut http = None;
    let mut count = 0;
    for line in RECORDED.lines() {
        let exchange: Value = serde_json::from_str(line).expect("a recorded exchange");
        if exchange["fresh"] == true {
            let store = store();
            tokio::spawn(Controllers::new(store.clone(), "PEM".to_owned()).run());
            http = Some(client(&store, Arc::new(NoPods)));
        }
        let http = http.as_ref().expect("the first exchange is with a fresh server");
        let mut found = Vec::new();
        if let Some(body) = ask(http, &exchange, &mut found).await {
            differences("", &exchange["response"]["body"], &body, &mut found);
        }
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", exchange["name"])));
        // Time to the controllers, which the real ones had too.
        tokio::time::sleep(Duration::from_millis(1)).await;
        count += 1;
    }
    assert_eq!(count, 774);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
