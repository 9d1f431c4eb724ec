//! Servers of public images: they listen on the pod's network and answer over HTTP.
//!
//! Invariant: all connections of a server end with its process; a request that it cannot answer as the real one would is
//! refused as not simulated.

mod demo;
mod files;

pub(super) use demo::{agnhost, bootcamp, hello, hello_app, helloworld, http_echo, pause, redis};
pub(super) use files::{httpd, nginx};

use crate::net::Socket;
use crate::net::http1::{Headers, Http, HttpError, Request, Response, reason};
use crate::process::{Exit, Process};
use std::net::IpAddr;
use std::sync::Arc;

/// How much of a request's body a server takes.
const MAX_BODY: usize = 1 << 20;

/// A request with its body.
struct Asked {
    head: Request,
    body: Vec<u8>,
    client: IpAddr,
}

/// An answer: status, headers but for the body's length, body.
struct Answer {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { status, headers: Headers(headers), body: body.into() }
    }
}

/// What a server does with a request; the text of an error says what is not simulated.
trait Site: Send + Sync + 'static {
    fn answer(&self, asked: &Asked) -> impl Future<Output = Result<Answer, String>> + Send;
}

/// Serves a site on a port until a signal ends the process.
async fn serve(process: &Process, port: u16, site: Arc<impl Site>) -> Exit {
    match process.net.listen(port) {
        Ok(listener) => process.serve(vec![listener], |socket| connection(socket, Arc::clone(&site))).await,
        Err(error) => process.fail(1, format!("listen tcp :{port}: bind: {error}")).await,
    }
}

/// What Go's servers say to what is no HTTP.
const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request";

/// One client, until it or an answer ends the connection.
async fn connection(socket: Socket, site: Arc<impl Site>) {
    let client = socket.peer_addr().ip();
    let mut http = Http::new(socket);
    loop {
        let head = match http.request().await {
            Ok(Some(head)) => head,
            Err(HttpError::Malformed) => {
                // Whoever spoke something else may be gone.
                http.send(BAD_REQUEST).await.ok();
                break;
            }
            Ok(None) | Err(_) => break,
        };
        let (keep_alive, method) = (head.keep_alive(), head.method.clone());
        let Ok(mut left) = head.body() else { return };
        let mut body = Vec::new();
        while let Ok(Some(piece)) = http.piece(&mut left).await {
            body.extend(piece);
            if body.len() > MAX_BODY {
                return http.into_parts().0.refuse_to_simulate("so large a request body");
            }
        }
        let answer = match site.answer(&Asked { head, body, client }).await {
            Ok(answer) => answer,
            Err(reason) => return http.into_parts().0.refuse_to_simulate(&reason),
        };
        let Answer { status, mut headers, body } = answer;
        if headers.get("content-length").is_none() {
            headers.push("Content-Length", body.len().to_string());
        }
        if !keep_alive && headers.get("connection").is_none() {
            headers.push("Connection", "close");
        }
        let response = Response { status, reason: reason(status).to_owned(), minor: 1, headers };
        let mut bytes = response.encode();
        if method != "HEAD" {
            bytes.extend(body);
        }
        if http.send(&bytes).await.is_err() || !keep_alive {
            break;
        }
    }
    // Whoever still reads has everything.
    http.finish().await.ok();
}
