//! Execs over a real WebSocket: every way in which one can end.

use std::time::Duration;

use base64::Engine;
use futures::{FutureExt, SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, frame::coding::CloseCode};

use super::server::{Reply, serve, text};
use crate::cluster::{Cluster, ExecOutcome, ExecRequest, Inconclusive};

type Server = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A cluster on which every exec is played by `play`, over this version of the protocol.
fn playing<F>(protocol: &'static str, play: impl Fn(Server) -> F + Clone + Send + Sync + 'static) -> Cluster
where
    F: Future<Output = ()> + Send + 'static,
{
    serve(move |mut request| {
        let play = play.clone();
        async move {
            let key = request.headers().get("sec-websocket-key").unwrap().as_bytes().to_vec();
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                play(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await).await;
            });
            let mut reply: Reply = text(101, "");
            let headers = [
                ("upgrade", "websocket".to_owned()),
                ("connection", "Upgrade".to_owned()),
                ("sec-websocket-accept", derive_accept_key(&key)),
                ("sec-websocket-protocol", protocol.to_owned()),
            ];
            for (name, value) in headers {
                reply.headers_mut().insert(name, value.parse().unwrap());
            }
            reply
        }
        .boxed()
    })
}

fn request(stdin: Option<&[u8]>) -> ExecRequest {
    ExecRequest {
        namespace: "n".into(),
        pod: "p".into(),
        container: "c".into(),
        argv: vec!["cat".into()],
        stdin: stdin.map(<[u8]>::to_vec),
        deadline: Duration::from_secs(10),
        max_output: 1 << 20,
    }
}

async fn send(socket: &mut Server, channel: u8, text: &str) {
    let mut frame = vec![channel];
    frame.extend_from_slice(text.as_bytes());
    socket.send(Message::Binary(frame.into())).await.unwrap();
}

async fn close(mut socket: Server) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    socket.close(Some(frame)).await.unwrap();
    while socket.next().await.is_some() {}
}

const V5: &str = "v5.channel.k8s.io";
const SUCCESS: &str = r#"{"metadata":{},"status":"Success"}"#;

fn parts(outcome: ExecOutcome) -> (Result<i32, Inconclusive>, String, String) {
    let text = |output: crate::cluster::Output| String::from_utf8(output.bytes).unwrap();
    match outcome {
        ExecOutcome::Finished { exit, stdout, stderr } => (Ok(exit), text(stdout), text(stderr)),
        ExecOutcome::Inconclusive { reason, stdout, stderr } => (Err(reason), text(stdout), text(stderr)),
    }
}

#[tokio::test(start_paused = true)]
async fn output_and_exit_code_come_through() {
    let cluster = playing(V5, |mut socket| async move {
        send(&mut socket, 1, "").await;
        send(&mut socket, 1, "out").await;
        send(&mut socket, 2, "err").await;
        send(&mut socket, 1, "put\n").await;
        send(&mut socket, 3, r#"{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}"#).await;
        close(socket).await;
    });
    let expected = (Ok(3), "output\n".to_owned(), "err".to_owned());
    assert_eq!(parts(cluster.exec(&request(None)).await), expected);
}

#[tokio::test(start_paused = true)]
async fn output_after_the_status_still_counts() {
    let cluster = playing(V5, |mut socket| async move {
        send(&mut socket, 3, SUCCESS).await;
        send(&mut socket, 1, "late").await;
        // It never closes: the client does not wait for that for long.
        std::future::pending::<()>().await;
    });
    assert_eq!(parts(cluster.exec(&request(None)).await), (Ok(0), "late".to_owned(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn stdin_goes_in_whole_and_is_closed() {
    let cluster = playing(V5, |mut socket| async move {
        let mut input = Vec::new();
        while let Some(Ok(Message::Binary(frame))) = socket.next().await {
            match frame[0] {
                0 => input.extend_from_slice(&frame[1..]),
                255 => {
                    assert_eq!(&frame[..], [255, 0]);
                    break;
                }
                other => panic!("channel {other}"),
            }
        }
        send(&mut socket, 1, &base64::engine::general_purpose::STANDARD.encode(&input[..3])).await;
        send(&mut socket, 2, &input.len().to_string()).await;
        send(&mut socket, 3, SUCCESS).await;
        close(socket).await;
    });
    let input: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    assert_eq!(parts(cluster.exec(&request(Some(&input))).await), (Ok(0), "AAEC".to_owned(), "300000".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_older_protocol_gets_no_close_of_stdin() {
    let cluster = playing("v4.channel.k8s.io", |mut socket| async move {
        let Some(Ok(Message::Binary(frame))) = socket.next().await else { panic!("no input") };
        assert_eq!(&frame[..], b"\x00one\n");
        send(&mut socket, 3, SUCCESS).await;
        // Nothing but the client's own closing may come.
        let next = socket.next().await;
        assert!(!matches!(next, Some(Ok(Message::Binary(_)))), "{next:?}");
    });
    assert_eq!(parts(cluster.exec(&request(Some(b"one\n"))).await).0, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_is_inconclusive_and_keeps_what_came() {
    let cluster = playing(V5, |mut socket| async move {
        send(&mut socket, 1, "half").await;
        drop(socket);
    });
    let (end, stdout, _) = parts(cluster.exec(&request(None)).await);
    assert!(matches!(end, Err(Inconclusive::StreamCut(_))), "{end:?}");
    assert_eq!(stdout, "half");

    let closed = playing(V5, close);
    let (end, ..) = parts(closed.exec(&request(None)).await);
    assert_eq!(end, Err(Inconclusive::StreamCut("the server closed it without a status".into())));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_end_is_a_timeout_and_keeps_what_came() {
    let cluster = playing(V5, |mut socket| async move {
        send(&mut socket, 1, "so far").await;
        std::future::pending::<()>().await;
    });
    let expected = (Err(Inconclusive::Timeout(Duration::from_secs(10))), "so far".to_owned(), String::new());
    assert_eq!(parts(cluster.exec(&request(None)).await), expected);
}

#[tokio::test(start_paused = true)]
async fn a_long_silence_is_bridged_with_pings() {
    let cluster = playing(V5, |mut socket| async move {
        let ping = socket.next().await;
        assert!(matches!(ping, Some(Ok(Message::Ping(_)))), "{ping:?}");
        send(&mut socket, 3, SUCCESS).await;
        close(socket).await;
    });
    let patient = ExecRequest { deadline: Duration::from_secs(300), ..request(None) };
    assert_eq!(parts(cluster.exec(&patient).await).0, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_before_the_upgrade_is_the_apis() {
    let cluster = serve(|_| {
        let body =
            r#"{"kind":"Status","status":"Failure","message":"pods \"p\" not found","reason":"NotFound","code":404}"#;
        std::future::ready(text(404, body)).boxed()
    });
    let (end, ..) = parts(cluster.exec(&request(None)).await);
    assert_eq!(end.unwrap_err().to_string(), "pods \"p\" not found");
}
