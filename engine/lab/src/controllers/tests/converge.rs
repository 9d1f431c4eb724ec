//! A Deployment under any sequence of events.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Cluster, with_deployment};
use crate::controllers::object::{count, share};
use crate::store::{GroupResource, meta};

/// Something that happens to a Deployment.
#[derive(Clone, Debug)]
enum Event {
    Scale(u8),
    Template(u8),
    /// The pods whose place in the list has this remainder become ready, or go.
    Kubelet(usize),
    Pause(bool),
    DeletePod(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u8..7).prop_map(Event::Scale),
        (0_u8..3).prop_map(Event::Template),
        (0_usize..3).prop_map(Event::Kubelet),
        any::<bool>().prop_map(Event::Pause),
        (0_usize..5).prop_map(Event::DeletePod),
    ]
}

fn bound() -> impl Strategy<Value = Value> {
    prop_oneof![(0_u8..3).prop_map(Value::from), Just(json!("25%")), Just(json!("100%"))]
}

/// Pods that are wanted never exceed what the strategy allows.
fn wanted_at_most(cluster: &Cluster, before: i64) {
    let deployment = cluster.deployment();
    let replicas = count(&deployment, "/spec/replicas");
    let surge = share(deployment.pointer("/spec/strategy/rollingUpdate/maxSurge"), replicas, true).unwrap_or(0);
    let wanted: i64 = cluster.sets().iter().map(|(_, size)| size).sum();
    // A Deployment that was scaled down keeps what it had until it has come down.
    assert!(wanted <= (replicas + surge).max(before), "{wanted} of {replicas} + {surge}");
}

fn happen(cluster: &mut Cluster, event: &Event) {
    let pods = cluster.list(&GroupResource::PODS);
    match event {
        Event::Scale(size) => cluster.change(|object| object["spec"]["replicas"] = (*size).into()),
        Event::Template(image) => cluster.change(|object| {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = format!("x:{image}").into();
        }),
        Event::Kubelet(rest) => {
            let chosen: Vec<_> = pods.iter().skip(*rest).step_by(3).map(|pod| meta::uid(pod).to_owned()).collect();
            cluster.play_kubelet_for(|pod| chosen.contains(&meta::uid(pod).to_owned()));
        }
        Event::Pause(paused) => cluster.change(|object| object["spec"]["paused"] = (*paused).into()),
        Event::DeletePod(index) => {
            if let Some(pod) = pods.get(*index) {
                let options = crate::store::DeleteOptions::default();
                cluster.store.delete(&GroupResource::PODS, "n", meta::name(pod), &options).unwrap();
                cluster.controllers.work();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_deployment_keeps_its_bounds_and_comes_to_rest(
        surge in bound(), unavailable in bound(), events in prop::collection::vec(event(), 1..16),
    ) {
        // The API server refuses a strategy that could never move.
        prop_assume!(surge != json!(0) || unavailable != json!(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut cluster = with_deployment(2);
            cluster.change(|object| {
                object["spec"]["strategy"] = json!({
                    "type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
                });
            });
            for event in &events {
                let before = cluster.sets().iter().map(|(_, size)| size).sum();
                happen(&mut cluster, event);
                wanted_at_most(&cluster, before);
            }
            cluster.change(|object| object["spec"]["paused"] = false.into());
            cluster.settle();
            let deployment = cluster.deployment();
            let replicas = count(&deployment, "/spec/replicas");
            let active: Vec<i64> = cluster.sets().iter().map(|(_, size)| *size).filter(|size| *size > 0).collect();
            assert_eq!(active, if replicas > 0 { vec![replicas] } else { vec![] });
            assert_eq!(count(&deployment, "/status/availableReplicas"), replicas);
            assert_eq!(cluster.list(&GroupResource::PODS).len(), usize::try_from(replicas).unwrap());
        });
    }
}
