//! The small servers of tutorials, each with the one answer that it is known for.
//!
//! Invariant: a path or option beyond that answer is not simulated.

use super::{Answer, Asked, Site, serve};
use crate::net::http_date;
use crate::process::{Exit, Process};
use std::sync::Arc;

/// One text for every path, with these headers.
struct Fixed {
    headers: Vec<(String, String)>,
    text: String,
    /// The only path that is answered, if not all are.
    path: Option<&'static str>,
    process: Process,
    /// Whether each request is logged as http-echo does.
    logs: bool,
}

impl Site for Fixed {
    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let target = asked.head.target.as_str();
        if self.path.is_some_and(|path| path != target.split('?').next().unwrap_or_default()) {
            return Err(format!("the path {target} of this server"));
        }
        let mut headers: Vec<(&str, &str)> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let date = http_date(&self.process.clock);
        headers.push(("Date", &date));
        if self.logs {
            let now = self.process.clock.now().to_zoned(jiff::tz::TimeZone::UTC);
            let Asked { head, client, .. } = asked;
            let header = |name| head.headers.get(name).unwrap_or_default();
            let line = format!(
                "{} {} {client} \"{} {target} HTTP/1.{}\" 200 {} \"{}\" 20.5µs\n",
                now.strftime("%Y/%m/%d %H:%M:%S"),
                header("host"),
                head.method,
                head.minor,
                self.text.len(),
                header("user-agent"),
            );
            // Nobody reading the log is no reason not to answer.
            self.process.print(line).await.ok();
        }
        Ok(Answer::new(200, &headers, self.text.clone()))
    }
}

fn plain() -> Vec<(String, String)> {
    vec![("Content-Type".to_owned(), "text/plain; charset=utf-8".to_owned())]
}

/// `/http-echo -text=TEXT [-listen=:PORT]`
pub(crate) async fn http_echo(process: Process) -> Exit {
    let mut text = process.var("ECHO_TEXT").map(str::to_owned);
    let mut port = 5678;
    let mut args = process.args().iter();
    while let Some(arg) = args.next() {
        let option = arg.trim_start_matches('-');
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, args.next().cloned()),
        };
        match (name, value) {
            ("text", Some(value)) => text = Some(value),
            ("listen", Some(value)) => match value.rsplit(':').next().and_then(|port| port.parse().ok()) {
                Some(number) => port = number,
                None => return Exit::not_simulated(format!("http-echo {arg}")),
            },
            _ => return Exit::not_simulated(format!("http-echo {arg}")),
        }
    }
    let Some(text) = text else {
        process.warn("Missing -text option!\n").await;
        return Exit::Code(127);
    };
    let now = process.clock.now().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y/%m/%d %H:%M:%S").to_string();
    if let Err(exit) = process.print(format!("{now} [INFO] server is listening on :{port}\n")).await {
        return exit;
    }
    let mut headers = vec![
        ("X-App-Name".to_owned(), "http-echo".to_owned()),
        ("X-App-Version".to_owned(), process.image.version().to_owned()),
    ];
    headers.extend(plain());
    let site = Fixed { headers, text: text + "\n", path: None, process: process.clone(), logs: true };
    serve(&process, port, Arc::new(site)).await
}

/// Google's `hello-app`.
pub(crate) async fn hello_app(process: Process) -> Exit {
    let port = process.var("PORT").and_then(|port| port.parse().ok()).unwrap_or(8080);
    let version = process.image.reference().tag().unwrap_or("1.0").trim_start_matches('v').to_owned();
    let host = &process.container.spec().hostname;
    let text = format!("Hello, world!\nVersion: {version}.0\nHostname: {host}\n");
    let now = process.clock.now().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y/%m/%d %H:%M:%S").to_string();
    process.warn(format!("{now} Server listening on port {port}\n")).await;
    let site = Fixed { headers: plain(), text, path: None, process: process.clone(), logs: false };
    serve(&process, port, Arc::new(site)).await
}

/// The server of Kubernetes' own tutorial.
pub(crate) async fn bootcamp(process: Process) -> Exit {
    if process.args() != ["server.js"] {
        return Exit::not_simulated(format!("node {}", process.args().join(" ")));
    }
    let tag = process.image.reference().tag().unwrap_or("v1").trim_start_matches('v').to_owned();
    let host = &process.container.spec().hostname;
    let text = format!("Hello Kubernetes bootcamp! | Running on: {host} | v={tag}\n");
    let headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
    let site = Fixed { headers, text, path: None, process: process.clone(), logs: false };
    serve(&process, 8080, Arc::new(site)).await
}

/// Istio's `helloworld`.
pub(crate) async fn helloworld(process: Process) -> Exit {
    let version = process.var("SERVICE_VERSION").map_or_else(|| process.image.version().to_owned(), str::to_owned);
    let host = &process.container.spec().hostname;
    let text = format!("Hello version: {version}, instance: {host}\n");
    let headers = vec![("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned())];
    let site = Fixed { headers, text, path: Some("/hello"), process: process.clone(), logs: false };
    serve(&process, 5000, Arc::new(site)).await
}

/// `agnhost pause | netexec [--http-port=PORT]`
pub(crate) async fn agnhost(process: Process) -> Exit {
    let args = process.args().to_vec();
    match args.first().map(String::as_str) {
        Some("pause") => {
            let line = "Paused\n";
            if let Err(exit) = process.print(line).await {
                return exit;
            }
            process.stopped().await
        }
        Some("netexec") => {
            let mut port = 8080;
            for arg in &args[1..] {
                match arg.strip_prefix("--http-port=").map(str::parse) {
                    Some(Ok(number)) => port = number,
                    None if arg.starts_with("--udp-port=") => {}
                    _ => return Exit::not_simulated(format!("agnhost netexec {arg}")),
                }
            }
            serve(&process, port, Arc::new(NetExec { process: process.clone() })).await
        }
        other => Exit::not_simulated(format!("agnhost {}", other.unwrap_or("without a command"))),
    }
}

/// `agnhost netexec`
struct NetExec {
    process: Process,
}

impl Site for NetExec {
    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let target = asked.head.target.as_str();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let text = match path {
            "/hostname" | "/hostName" => self.process.container.spec().hostname.clone(),
            "/echo" => query.strip_prefix("msg=").unwrap_or_default().replace(['+'], " "),
            "/healthz" => String::new(),
            path => return Err(format!("the path {path} of agnhost")),
        };
        if text.contains('%') || !asked.body.is_empty() {
            return Err("such a request to agnhost".to_owned());
        }
        let date = http_date(&self.process.clock);
        Ok(Answer::new(200, &[("Date", &date), ("Content-Type", "text/plain; charset=utf-8")], text))
    }
}

/// `/pause`
pub(crate) async fn pause(process: Process) -> Exit {
    let exit = process.stopped().await;
    process.warn("Shutting down, got signal: Terminated\n").await;
    exit
}

/// `redis-server`: it is there, but speaks to nobody.
pub(crate) async fn redis(process: Process) -> Exit {
    if process.args().iter().any(|arg| arg.starts_with('-')) {
        return Exit::not_simulated(format!("redis-server {}", process.args().join(" ")));
    }
    let pid = process.pid;
    let now = process.clock.now().to_zoned(jiff::tz::TimeZone::UTC).strftime("%d %b %Y %H:%M:%S.%3f").to_string();
    if let Err(exit) = process.print(format!("{pid}:M {now} * Ready to accept connections tcp\n")).await {
        return exit;
    }
    let Ok(mut listener) = process.net.listen(6379) else { return Exit::FAILURE };
    let refuse = async {
        while let Ok(socket) = listener.accept().await {
            // A probe that merely connects sees an open port; whoever speaks learns that nobody is there.
            tokio::spawn(async move {
                socket.readable().await;
                socket.refuse_to_simulate("the protocol of redis");
            });
        }
    };
    tokio::select! {
        biased;
        exit = process.stopped() => exit,
        () = refuse => Exit::FAILURE,
    }
}

/// `/hello` of `hello-world`.
pub(crate) async fn hello(process: Process) -> Exit {
    let text = "\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n\n\
        To generate this message, Docker took the following steps:\n \
        1. The Docker client contacted the Docker daemon.\n \
        2. The Docker daemon pulled the \"hello-world\" image from the Docker Hub.\n    (amd64)\n \
        3. The Docker daemon created a new container from that image which runs the\n    \
        executable that produces the output you are currently reading.\n \
        4. The Docker daemon streamed that output to the Docker client, which sent it\n    to your terminal.\n\n\
        To try something more ambitious, you can run an Ubuntu container with:\n $ docker run -it ubuntu bash\n\n\
        Share images, automate workflows, and more with a free Docker ID:\n https://hub.docker.com/\n\n\
        For more examples and ideas, visit:\n https://docs.docker.com/get-started/\n\n";
    match process.print(text).await {
        Ok(()) => Exit::SUCCESS,
        Err(exit) => exit,
    }
}
