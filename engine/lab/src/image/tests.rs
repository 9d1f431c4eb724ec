//! Which references are known, and what they hold.

use super::{Flavour, Image};
use crate::clock::Clock;
use crate::fs::Fs;
use jiff::Timestamp;

#[test]
fn references_name_the_same_image_in_every_spelling() {
    let spellings = [
        "curlimages/curl",
        "curlimages/curl:8.16.0",
        "docker.io/curlimages/curl:latest",
        "quay.io/curl/curl:8.16.0",
        "docker.io/curlimages/curl@sha256:0123456789abcdef",
        "index.docker.io/curlimages/curl:8.16.0@sha256:0123456789abcdef",
    ];
    for spelling in spellings {
        let image = Image::lookup(spelling).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            (image.flavour(), image.user(), image.to_string().as_str()),
            (Flavour::BusyBox, (100, 101), spelling)
        );
    }
    assert_eq!(Image::lookup("curlimages/curl:8.16.0").unwrap().curl_version(), "8.16.0");
    assert_eq!(Image::lookup("busybox").unwrap().reference().repository(), "library/busybox");
}

#[test]
fn other_images_are_not_simulated() {
    for unknown in [
        "example.com/nginx",
        "localhost:5000/busybox",
        "example.com/curlimages/curl",
        "",
        "Bad/Name",
        "busybox:",
        "a//b",
    ] {
        let error = Image::lookup(unknown).unwrap_err();
        assert_eq!(error.to_string(), format!("not simulated: image {unknown}"));
    }
}

#[test]
fn every_image_lays_down_a_shell_it_can_execute() {
    let references = [
        "busybox",
        "alpine:3.22",
        "curlimages/curl",
        "governmentpaas/curl-ssl",
        "debian",
        "ubuntu:24.04",
        "nicolaka/netshoot",
        "sameersbn/squid:3.5.27",
        "ubuntu/squid:5.2",
        "b4tman/squid",
        "docker.io/istio/proxyv2:1.30.3",
        "nginx",
        "nginx:1.27-alpine",
        "httpd:2.4",
        "perl:5.34.0",
        "registry.k8s.io/e2e-test-images/agnhost:2.53",
    ];
    for reference in references {
        let fs = Fs::new(Clock::fixed(Timestamp::UNIX_EPOCH));
        let image = Image::lookup(reference).unwrap();
        image.install(&fs).unwrap_or_else(|error| panic!("{reference}: {error}"));
        assert!(fs.access("/bin/sh", 1), "{reference}");
        let program = fs.program("/bin/sh").unwrap().unwrap();
        let expected = if image.is_busybox() { "busybox" } else { "dash" };
        assert_eq!(&*program, expected, "{reference}");
    }
}
