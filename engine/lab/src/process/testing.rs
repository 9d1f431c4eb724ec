//! A container to run programs in, for the tests of this crate.
//!
//! Invariant: every test gets a container of its own on a paused clock.

use super::{Container, ContainerSpec, Exit, Fd};
use crate::clock::Clock;
use crate::image::Image;
use crate::net::{Net, NetNs, PodNet};
use std::net::{IpAddr, Ipv4Addr};

/// What a command printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: Exit,
}

pub(crate) fn clock() -> Clock {
    Clock::fixed("2026-01-01T00:00:00Z".parse().expect("invariant: a valid time"))
}

pub(crate) fn pod(net: &Net) -> NetNs {
    net.add_pod(PodNet {
        ip: IpAddr::V4(Ipv4Addr::new(10, 244, 0, 52)),
        namespace: "default".to_owned(),
        pod: "client".to_owned(),
        labels: std::collections::BTreeMap::new(),
        service_account: "default".to_owned(),
    })
}

pub(crate) fn container(image: &str) -> Container {
    let net = Net::new(clock(), 1);
    container_in(image, pod(&net))
}

pub(crate) fn container_in(image: &str, net: NetNs) -> Container {
    Container::new(ContainerSpec {
        image: Image::lookup(image).expect("invariant: tests use known images"),
        hostname: "client".to_owned(),
        clock: net.clock().clone(),
        net,
        env: Vec::new(),
        working_dir: None,
        user: None,
    })
    .expect("invariant: an image fits")
}

/// Runs a command in the container with this input until it ends and everything it wrote is read.
pub(crate) async fn run_in(container: &Container, argv: &[&str], input: &[u8]) -> Output {
    run(container, None, argv, input).await
}

/// Runs a command in a directory, without input.
pub(crate) async fn run_at(container: &Container, dir: &str, argv: &[&str]) -> Output {
    run(container, Some(dir), argv, b"").await
}

async fn run(container: &Container, dir: Option<&str>, argv: &[&str], input: &[u8]) -> Output {
    let (stdin, feed) = Fd::pipe();
    let (out, stdout) = Fd::pipe();
    let (err, stderr) = Fd::pipe();
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    let mut process = container.process(argv, stdin, stdout, stderr);
    if let Some(dir) = dir {
        dir.clone_into(&mut process.cwd);
    }
    let input = input.to_vec();
    let (exit, (), stdout, stderr) = tokio::join!(
        process.run(),
        // A program may end without reading its input.
        async move { feed.write_all(&input).await.unwrap_or_default() },
        out.read_to_end(usize::MAX),
        err.read_to_end(usize::MAX),
    );
    let text = |data: Result<Option<Vec<u8>>, _>| {
        String::from_utf8_lossy(&data.expect("invariant: a pipe is readable").unwrap_or_default()).into_owned()
    };
    Output { stdout: text(stdout), stderr: text(stderr), exit }
}
