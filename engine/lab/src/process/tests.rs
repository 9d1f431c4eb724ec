//! Starting, finding, signalling.

use super::testing::{clock, container, run_in};
use super::{Exit, Fd, SIGKILL, SIGTERM};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn sleep_takes_lab_time_only() {
    let output = run_in(&container("curlimages/curl"), &["/bin/sleep", "90.5"], b"").await;
    assert_eq!(output.exit, Exit::SUCCESS);
    let start = clock();
    assert!(start.now() < clock().now() + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn missing_programs_are_told_from_those_the_lab_lacks() {
    let container = container("curlimages/curl");
    let cases = [
        (
            vec!["no-such-program"],
            Exit::NotFound("exec: \"no-such-program\": executable file not found in $PATH".into()),
        ),
        (vec!["/nope"], Exit::NotFound("exec: \"/nope\": stat /nope: no such file or directory".into())),
        (vec!["/etc/passwd"], Exit::NotFound("exec: \"/etc/passwd\": permission denied".into())),
        (vec![], Exit::NotFound("args must not be empty".into())),
        (vec!["vi"], Exit::NotSimulated("the program vi".into())),
    ];
    for (argv, expected) in cases {
        assert_eq!(run_in(&container, &argv, b"").await.exit, expected, "{argv:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn process_one_ignores_a_polite_request_and_dies_of_a_kill() {
    let container = container("busybox");
    let start = |seconds: &str| {
        let argv = vec!["sleep".to_owned(), seconds.to_owned()];
        container.process(argv, Fd::null(), Fd::null(), Fd::null()).run()
    };
    let (first, second) = (tokio::spawn(start("infinity")), tokio::spawn(start("infinity")));
    tokio::task::yield_now().await;
    assert_eq!(container.processes().iter().map(|process| process.pid).collect::<Vec<_>>(), [1, 2]);
    assert!(container.signal(2, SIGTERM));
    assert_eq!(second.await.unwrap(), Exit::Signal(SIGTERM));
    assert!(container.signal(1, SIGTERM));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(container.processes().len(), 1);
    assert!(container.signal(1, SIGKILL));
    assert_eq!(first.await.unwrap(), Exit::Signal(SIGKILL));
    assert!(!container.signal(1, SIGKILL));
}
