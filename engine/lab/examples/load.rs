//! What clients get from an API server, over the kubeconfig's own transport.
//!
//! - `load requests KUBECONFIG` prints a line for each kind of request: its name, how many were made, the median and the 99th
//!   percentile in microseconds, requests a second.
//! - `load hold KUBECONFIG OBJECTS WATCHES` creates so many ConfigMaps, watches them so many times, changes some, and lets go;
//!   prints a line when each is done.
//!
//! It works in a namespace of its own on any cluster, and deletes it in the end. See `tests/bench/lab.sh`.

use std::io::Write as _;
use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use http::{Method, Request};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::time::Instant;

const NAMESPACE: &str = "periplus-load";
const MAPS: &str = "/api/v1/namespaces/periplus-load/configmaps";

/// Requests of each kind.
const ROUNDS: usize = 500;

type Failure = Box<dyn std::error::Error>;

#[expect(clippy::disallowed_methods, reason = "a program of its own, with arguments")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (["requests", file] | ["hold", file, _, _]) = words.as_slice() else {
        return Err("usage: load requests KUBECONFIG | load hold KUBECONFIG OBJECTS WATCHES".into());
    };
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &options).await?;
    config.read_timeout = None;
    let load = Load { client: Client::try_from(config)? };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    load.send(Method::POST, "/api/v1/namespaces", "", &namespace).await?;
    let done = match words.as_slice() {
        ["hold", _, objects, watches] => load.hold(objects.parse()?, watches.parse()?).await,
        _ => load.measure().await,
    };
    load.leave().await?;
    done
}

struct Load {
    client: Client,
}

impl Load {
    /// Sends a request and reads the whole answer. Answers with its length.
    async fn send(&self, method: Method, path: &str, content_type: &str, body: &Value) -> Result<usize, Failure> {
        let content_type = if content_type.is_empty() { "application/json" } else { content_type };
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        let request = Request::builder().method(method).uri(path).header("content-type", content_type).body(body)?;
        Ok(self.client.request_text(request).await?.len())
    }

    /// Deletes the namespace and waits until it is gone: the next call creates it anew.
    async fn leave(&self) -> Result<(), Failure> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}");
        self.send(Method::DELETE, &path, "", &Value::Null).await?;
        while self.send(Method::GET, &path, "", &Value::Null).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn hold(&self, objects: usize, watches: usize) -> Result<(), Failure> {
        let map = |number: usize, value: usize| {
            let data = json!({"value": value.to_string(), "text": "x".repeat(200)});
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("m{number}")}, "data": data})
        };
        for number in 0..objects {
            self.send(Method::POST, MAPS, "", &map(number, 0)).await?;
        }
        say(&format!("{objects} objects")).await?;
        let mut open = Vec::new();
        for _ in 0..watches {
            let request = Request::builder().uri(format!(
                "{MAPS}?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
            ));
            let lines = self.client.request_stream(request.body(Vec::new())?).await?;
            open.push(Box::pin(lines.lines()));
        }
        say(&format!("and {watches} watches")).await?;
        for value in 1..=10 {
            self.send(Method::PUT, &format!("{MAPS}/m1"), "", &map(1, value)).await?;
            for watch in &mut open {
                watch.try_next().await?.ok_or("a watch ended")?;
            }
        }
        say("and 10 changes seen by each").await?;
        drop(open);
        self.send(Method::DELETE, MAPS, "", &Value::Null).await?;
        say("watches and objects gone").await
    }

    async fn measure(&self) -> Result<(), Failure> {
        let map = |name: &str, value: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value.to_string()}});
        let one = |number: usize| format!("{MAPS}/m{number}");
        let mut times = Vec::new();
        for number in 0..ROUNDS {
            let start = Instant::now();
            self.send(Method::POST, MAPS, "", &map(&format!("m{number}"), 0)).await?;
            times.push(start.elapsed());
        }
        report("create", &mut times)?;
        for number in 0..ROUNDS {
            let start = Instant::now();
            self.send(Method::GET, &one(number), "", &Value::Null).await?;
            times.push(start.elapsed());
        }
        report("get", &mut times)?;
        for _ in 0..ROUNDS / 5 {
            let start = Instant::now();
            self.send(Method::GET, &format!("{MAPS}?limit=100"), "", &Value::Null).await?;
            times.push(start.elapsed());
        }
        report("list of 100", &mut times)?;
        for number in 0..ROUNDS {
            let start = Instant::now();
            self.send(Method::PUT, &one(number), "", &map(&format!("m{number}"), number + 1)).await?;
            times.push(start.elapsed());
        }
        report("update", &mut times)?;
        for number in 0..ROUNDS {
            let start = Instant::now();
            let patch = json!({"data": {"patched": number.to_string()}});
            self.send(Method::PATCH, &one(number), "application/merge-patch+json", &patch).await?;
            times.push(start.elapsed());
        }
        report("patch", &mut times)?;
        for number in 0..ROUNDS {
            let start = Instant::now();
            let path = format!("{}?fieldManager=load&force=true", one(number));
            self.send(Method::PATCH, &path, "application/apply-patch+yaml", &map(&format!("m{number}"), 7)).await?;
            times.push(start.elapsed());
        }
        report("apply", &mut times)?;
        for number in 0..ROUNDS {
            let start = Instant::now();
            self.send(Method::DELETE, &one(number), "", &Value::Null).await?;
            times.push(start.elapsed());
        }
        report("delete", &mut times)
    }
}

async fn say(what: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{what}")?;
    // Whoever measures needs a moment to look.
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

/// Prints what was measured, and forgets it.
fn report(name: &str, times: &mut Vec<Duration>) -> Result<(), Failure> {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_micros();
    let total: Duration = times.iter().sum();
    let rate = times.len() as f64 / total.as_secs_f64();
    writeln!(std::io::stdout(), "{name}\t{}\t{}\t{}\t{rate:.0}", times.len(), at(50), at(99))?;
    times.clear();
    Ok(())
}
