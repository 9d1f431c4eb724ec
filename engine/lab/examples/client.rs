//! A kube client of a lab in the same process: no port, no token, no file.
//!
//! `cargo run -p periplus-lab --example client`

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use periplus_lab::{Lab, world::World};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let world = World::parse(include_str!("world.yaml"))?;
    let lab = Lab::builder().world(world).build().await?;
    let client = kube::Client::new(lab.service(), "default");

    let pods: Api<Pod> = Api::default_namespaced(client);
    let running = pods.list(&ListParams::default().labels("app=hello")).await?;
    assert_eq!(running.items.len(), 2);
    Ok(())
}
