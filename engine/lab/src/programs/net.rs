//! BusyBox's `wget`, `nslookup` and `nc`, over the pod's network.
//!
//! Invariant: they see the network as curl does, through the same names, Services and sidecars.

use super::opts::Opts;
use super::text::ended;
use crate::fs::OpenOptions;
use crate::net::http1::{Headers, Http, HttpError, Request, Response};
use crate::net::{CLUSTER_DOMAIN, DNS_ADDRESS, ResolveError, Socket, not_simulated};
use crate::process::{Exit, Fd, Process};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How many redirects `wget` follows.
const MAX_REDIRECTS: usize = 30;
/// How much it takes.
const MAX_BODY: u64 = 64 << 20;

fn strerror(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Connection refused",
        io::ErrorKind::HostUnreachable => "Host is unreachable",
        io::ErrorKind::NetworkUnreachable => "Network is unreachable",
        io::ErrorKind::TimedOut => "Operation timed out",
        io::ErrorKind::BrokenPipe => "Broken pipe",
        _ => "Connection reset by peer",
    }
}

/// Connects as BusyBox's clients do, with their complaints.
async fn connect(process: &Process, host: &str, port: u16) -> Result<Socket, Exit> {
    let address = match process.net.resolve(host).await.map(|found| found.into_iter().next()) {
        Ok(Some(ip)) => SocketAddr::new(ip, port),
        _ => return Err(process.fail(1, format!("bad address '{host}'")).await),
    };
    if process.name() == "wget" && !process.args().iter().any(|arg| is_quiet(arg)) {
        process.warn(format!("Connecting to {host} ({address})\n")).await;
    }
    match process.net.connect(address).await {
        Ok(socket) => Ok(socket),
        Err(error) => match not_simulated(&error) {
            Some(reason) => Err(Exit::not_simulated(reason)),
            None => {
                let ip = address.ip();
                let text = format!("can't connect to remote host ({ip}): {}", strerror(&error));
                Err(process.fail(1, text).await)
            }
        },
    }
}

fn is_quiet(arg: &str) -> bool {
    arg.starts_with("-q") || arg == "--quiet"
}

/// `wget [-q] [-O FILE] [--spider] [-S] [-T SECONDS] [--header LINE] [--post-data TEXT] [-Y on/off] URL`
pub(super) async fn wget(process: Process) -> Exit {
    if !process.image.is_busybox() {
        return Exit::not_simulated("the program wget of GNU");
    }
    let long = [
        ("quiet", 'q'),
        ("output-document", 'O'),
        ("spider", 's'),
        ("server-response", 'S'),
        ("timeout", 'T'),
        ("header", 'h'),
        ("post-data", 'd'),
        ("no-check-certificate", 'n'),
        ("tries", 't'),
    ];
    let opts = match Opts::parse(&process, "qO:sST:h:d:nt:U:Y:", &long) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    let limit = match opts.value('T').map(str::parse::<u64>) {
        None => Duration::from_secs(900),
        Some(Ok(seconds)) => Duration::from_secs(seconds),
        Some(Err(_)) => return Exit::not_simulated("wget -T with this time"),
    };
    match tokio::time::timeout(limit, get(&process, &opts)).await {
        Ok(result) => ended(result),
        Err(_) => process.fail(1, "download timed out").await,
    }
}

/// A URL's host, port and path.
fn parts(url: &str) -> Result<(String, u16, String), Exit> {
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        None => url,
        Some((scheme, _)) => return Err(Exit::not_simulated(format!("wget over {scheme}"))),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    if authority.contains(['@', '[']) {
        return Err(Exit::not_simulated(format!("wget of {url}")));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| Exit::not_simulated(format!("wget of {url}")))?),
        None => (authority, 80),
    };
    Ok((host.to_owned(), port, path.to_owned()))
}

async fn get(process: &Process, opts: &Opts) -> Result<Exit, Exit> {
    let [url] = opts.operands.as_slice() else { return Err(super::usage::busybox(process)) };
    let quiet = opts.has('q');
    let mut url = url.clone();
    for _ in 0..MAX_REDIRECTS {
        let (host, port, path) = parts(&url)?;
        let proxy = process.var("http_proxy").filter(|proxy| !proxy.is_empty() && opts.value('Y') != Some("off"));
        let (dialled, target) = match proxy {
            Some(proxy) => (parts(proxy)?, format!("http://{}{path}", authority(&host, port))),
            None => ((host.clone(), port, String::new()), path.clone()),
        };
        let socket = connect(process, &dialled.0, dialled.1).await?;
        let mut http = Http::new(socket);
        let failed = |error: HttpError| match error {
            HttpError::Io(error) if not_simulated(&error).is_some() => {
                Exit::not_simulated(not_simulated(&error).unwrap_or_default())
            }
            HttpError::Io(_) | HttpError::Truncated => Exit::Code(255),
            error => Exit::not_simulated(error.to_string()),
        };
        let response = match exchange(&mut http, opts, &authority(&host, port), target).await.map_err(failed) {
            Ok(response) => response,
            Err(Exit::Code(255)) => return Err(process.fail(1, "error getting response").await),
            Err(exit) => return Err(exit),
        };
        if opts.has('S') {
            let mut lines = format!("  HTTP/1.{} {} {}\n", response.minor, response.status, response.reason);
            lines.extend(response.headers.0.iter().map(|(name, value)| format!("  {name}: {value}\n")));
            process.warn(lines).await;
        }
        match response.status {
            200..=299 => {}
            301 | 302 | 303 | 307 | 308 => {
                let Some(location) = response.headers.get("location") else {
                    return Err(Exit::not_simulated("a redirect without a place"));
                };
                url = if location.starts_with('/') {
                    format!("http://{}{location}", authority(&host, port))
                } else {
                    location.to_owned()
                };
                continue;
            }
            status => {
                let text = format!("server returned error: HTTP/1.{} {status} {}", response.minor, response.reason);
                return Err(process.fail(1, text).await);
            }
        }
        if opts.has('s') {
            if !quiet {
                process.warn("remote file exists\n").await;
            }
            return Ok(Exit::SUCCESS);
        }
        return save(process, opts, &mut http, &response, &path).await;
    }
    Err(process.fail(1, "too many redirections").await)
}

fn authority(host: &str, port: u16) -> String {
    if port == 80 { host.to_owned() } else { format!("{host}:{port}") }
}

async fn exchange(http: &mut Http<Socket>, opts: &Opts, host: &str, target: String) -> Result<Response, HttpError> {
    let mut headers = Headers::default();
    headers.push("Host", host);
    headers.push("User-Agent", opts.value('U').unwrap_or("Wget"));
    headers.push("Connection", "close");
    for line in opts.values('h') {
        if let Some((name, value)) = line.split_once(':') {
            headers.push(name, value.trim());
        }
    }
    let body = opts.value('d');
    if let Some(body) = body {
        if headers.get("content-type").is_none() {
            headers.push("Content-Type", "application/x-www-form-urlencoded");
        }
        headers.push("Content-Length", body.len().to_string());
    }
    let method = if body.is_some() { "POST" } else { "GET" }.to_owned();
    let mut bytes = Request { method, target, minor: 1, headers }.encode();
    bytes.extend(body.unwrap_or_default().bytes());
    http.send(&bytes).await?;
    http.response().await
}

/// Writes the body where `-O` says, or to a file of the path's name.
async fn save(
    process: &Process,
    opts: &Opts,
    http: &mut Http<Socket>,
    response: &Response,
    path: &str,
) -> Result<Exit, Exit> {
    let quiet = opts.has('q');
    let last = path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let name = opts.value('O').unwrap_or(if last.is_empty() { "index.html" } else { last }).to_owned();
    let out = if name == "-" {
        process.stdout()
    } else {
        if opts.value('O').is_none() && process.fs.exists(&process.path(&name)) {
            return Err(process.fail(1, format!("can't open '{name}': File exists")).await);
        }
        match process.open(&name, OpenOptions::writing()) {
            Ok(fd) => fd,
            Err(error) => return Err(process.fail(1, format!("can't open '{name}': {error}")).await),
        }
    };
    if !quiet {
        let line = if name == "-" { "writing to stdout\n".to_owned() } else { format!("saving to '{name}'\n") };
        process.warn(line).await;
    }
    let mut left = response.body("GET").map_err(|error| Exit::not_simulated(error.to_string()))?;
    let mut total = 0;
    loop {
        match http.piece(&mut left).await {
            Ok(Some(piece)) => {
                total += piece.len() as u64;
                if total > MAX_BODY {
                    return Err(Exit::not_simulated("so large a download"));
                }
                if out.write_all(&piece).await.is_err() {
                    return Err(process.fail(1, "short write").await);
                }
            }
            Ok(None) => break,
            Err(HttpError::Truncated) => return Err(process.fail(1, "connection closed prematurely").await),
            Err(error) => return Err(Exit::not_simulated(error.to_string())),
        }
    }
    if !quiet {
        let shown: String = crate::fs::file_name(&name).chars().take(20).collect();
        let bar = "*".repeat(32);
        let end = if name == "-" { "written to stdout".to_owned() } else { format!("'{name}' saved") };
        process.warn(format!("{shown:<20} 100% |{bar}| {total:>5}  0:00:00 ETA\n{end}\n")).await;
    }
    Ok(Exit::SUCCESS)
}

/// `nslookup NAME [SERVER]`, in the words of BusyBox 1.34 and later, which asks for a name with a dot as it stands.
pub(super) async fn nslookup(process: Process) -> Exit {
    ended(look_up(&process).await)
}

async fn look_up(process: &Process) -> Result<Exit, Exit> {
    let (name, server) = match process.args() {
        [name] if !name.starts_with('-') => (name.clone(), DNS_ADDRESS.to_string()),
        [name, server] if !name.starts_with('-') => (name.clone(), server.clone()),
        args => return Err(Exit::not_simulated(format!("nslookup {}", args.join(" ")))),
    };
    let modern =
        process.image.is_busybox() && process.image.reference().tag().is_none_or(|tag| !tag.starts_with("1.28"));
    if server != DNS_ADDRESS.to_string() || !modern || name.parse::<IpAddr>().is_ok() {
        return Err(Exit::not_simulated(format!("nslookup {}", process.args().join(" "))));
    }
    let mut out = format!("Server:\t\t{server}\nAddress:\t{server}:53\n\n");
    let namespace = process.net.pod().namespace.clone();
    let candidates = if name.contains('.') {
        vec![name.trim_end_matches('.').to_owned()]
    } else {
        vec![
            format!("{name}.{namespace}.svc.{CLUSTER_DOMAIN}"),
            format!("{name}.svc.{CLUSTER_DOMAIN}"),
            format!("{name}.{CLUSTER_DOMAIN}"),
        ]
    };
    let mut failed = false;
    for candidate in candidates {
        match process.net.lookup(&format!("{candidate}.")).await {
            Ok(answer) => {
                if answer.name != candidate {
                    out.push_str(&format!("{candidate}\tcanonical name = {}\n", answer.name));
                }
                for address in answer.addresses {
                    out.push_str(&format!("Name:\t{}\nAddress: {address}\n", answer.name));
                }
                // The second question is for addresses of the other family.
                out.push_str("\n\n");
            }
            Err(ResolveError::NoAddress(_)) => out.push_str("\n\n"),
            Err(_) => {
                failed = true;
                let line = format!("** server can't find {candidate}: NXDOMAIN\n\n");
                out.push_str(&line.repeat(2));
            }
        }
    }
    process.print(out).await?;
    Ok(Exit::from(!failed))
}

/// `nc [-z] [-v] [-w SECONDS] HOST PORT` or `nc -l -p PORT`
pub(super) async fn nc(process: Process) -> Exit {
    let opts = match Opts::parse(&process, "zvnlkw:p:", &[]) {
        Ok(opts) => opts,
        Err(exit) => return exit,
    };
    if !process.image.is_busybox() {
        return Exit::not_simulated("the program nc of another make");
    }
    let port = |text: Option<&str>| text.and_then(|text| text.parse::<u16>().ok());
    if opts.has('l') {
        let chosen = port(opts.value('p').or_else(|| opts.operands.first().map(String::as_str)));
        let Some(chosen) = chosen else { return Exit::not_simulated("nc -l without a port") };
        let Ok(mut listener) = process.net.listen(chosen) else {
            return process.fail(1, "bind: Address in use").await;
        };
        loop {
            match listener.accept().await {
                Ok(socket) => talk(&process, socket).await,
                Err(_) => return Exit::FAILURE,
            }
            if !opts.has('k') {
                return Exit::SUCCESS;
            }
        }
    }
    let [host, number] = opts.operands.as_slice() else { return super::usage::busybox(&process) };
    let Some(number) = port(Some(number)) else { return Exit::not_simulated(format!("nc to port {number}")) };
    let limit = opts.value('w').and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let connecting = connect(&process, host, number);
    let connected = match limit {
        Some(limit) => match tokio::time::timeout(limit, connecting).await {
            Ok(connected) => connected,
            Err(_) => return process.fail(1, "timed out").await,
        },
        None => connecting.await,
    };
    let socket = match connected {
        Ok(socket) => socket,
        Err(exit) => return exit,
    };
    if opts.has('v') {
        process.warn(format!("{host} ({}) open\n", socket.peer_addr())).await;
    }
    if !opts.has('z') {
        talk(&process, socket).await;
    }
    Exit::SUCCESS
}

/// Carries bytes both ways until the other side closes.
async fn talk(process: &Process, socket: Socket) {
    let (mut reader, mut writer) = tokio::io::split(socket);
    let (stdin, stdout): (Fd, Fd) = (process.stdin(), process.stdout());
    let send = async {
        loop {
            match stdin.read(1 << 16).await {
                Ok(data) if !data.is_empty() => {
                    if writer.write_all(&data).await.is_err() || writer.flush().await.is_err() {
                        return std::future::pending().await;
                    }
                }
                _ => {
                    // The other side may still have something to say.
                    writer.shutdown().await.ok();
                    return std::future::pending().await;
                }
            }
        }
    };
    let receive = async {
        let mut buffer = vec![0; 1 << 14];
        loop {
            match reader.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    if stdout.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = receive => {}
        () = send => {}
    }
}
