//! The lab: how long it takes to be there. Reach: 20 ms for the tutorial's world.

use divan::Bencher;
use periplus_lab::Lab;
use periplus_lab::world::World;
use tokio::runtime::Builder;

const WORLD: &str = include_str!("../../runbooks/external-https-proxy/world.yaml");

fn boot(bencher: Bencher<'_, '_>, text: &str) {
    bencher.bench_local(|| {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        let world = World::parse(text).expect("a world");
        let lab = runtime.block_on(Lab::builder().world(world).virtual_time(true).build()).expect("a lab");
        assert_eq!(lab.unready(), []);
        // The runtime goes first: what it still runs is part of the lab's price.
        drop(runtime);
        lab
    });
}

/// An empty cluster.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn boot_empty(bencher: Bencher<'_, '_>) {
    boot(bencher, "");
}

/// Until the tutorial's proxy is ready. The first sample reads the table of kinds, as every process does once.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn boot_of_the_tutorial(bencher: Bencher<'_, '_>) {
    boot(bencher, WORLD);
}
