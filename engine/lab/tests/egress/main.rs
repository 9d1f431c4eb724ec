//! Every recorded way out of the cluster, from the client's command to the log lines of sidecar and proxy, through the API.

mod cases;
mod support;
mod tasks;
mod verdicts;

use cases::cases;
use support::Cluster;

#[tokio::test(start_paused = true)]
async fn every_recorded_case_ends_as_recorded() {
    let mut differences = Vec::new();
    for case in cases() {
        let cluster = Cluster::start(&case).await;
        let found = cluster.run(&case).await;
        if let Some(difference) = case.difference(&found) {
            differences.push(difference);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[tokio::test(start_paused = true)]
async fn one_seed_gives_the_same_lines_to_the_last_byte() {
    let case = cases().into_iter().find(|case| case.name == "d").expect("the case with the entry");
    let mut runs = Vec::new();
    for _ in 0..2 {
        let cluster = Cluster::start(&case).await;
        cluster.run(&case).await;
        runs.push((cluster.sidecar_log().await, cluster.squid_log().await));
    }
    assert!(
        runs[0].0.contains("outbound|3128||my-company-proxy.com") && runs[0].1.contains("TCP_TUNNEL/200"),
        "{runs:?}"
    );
    assert_eq!(runs[0], runs[1]);
    // As in every recorded tunnel, the proxy counts what the sidecar counts.
    let (sidecar, squid) = &runs[0];
    let sent = sidecar.split_whitespace().nth(10).and_then(|field| field.parse::<u64>().ok());
    let bytes = squid.split_whitespace().nth(4).and_then(|field| field.parse::<u64>().ok());
    assert!(sent.is_some_and(|sent| sent > 80_432), "{sidecar}");
    assert_eq!(sent, bytes, "{sidecar}{squid}");
}
