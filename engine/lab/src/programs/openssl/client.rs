//! `openssl s_client`: a TLS handshake, told in detail, and then a pipe.
//!
//! Invariant: the connection goes through the pod's own network; without `-verify_return_error` no certificate ends it.

use super::super::verify::{self, Offer, Seen, Verifier, suite_name};
use super::super::x509;
use crate::net::{self, Socket};
use crate::process::{Exit, Process};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// `X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE`
const UNVERIFIED: u32 = 21;
/// `X509_V_ERR_HOSTNAME_MISMATCH`
const HOSTNAME_MISMATCH: u32 = 62;
/// What stands before a line of the error queue: the number of a thread.
const THREAD: &str = "40B73145ED7F0000";

/// What the options say.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own in openssl")]
struct Options {
    connect: String,
    server_name: Option<String>,
    no_server_name: bool,
    ca_file: Option<String>,
    cert: Option<String>,
    key: Option<String>,
    proxy: Option<String>,
    alpn: Vec<Vec<u8>>,
    verify_hostname: Option<String>,
    verify_depth: Option<String>,
    return_error: bool,
    show_certs: bool,
    brief: bool,
    quiet: bool,
    ignore_eof: bool,
    only_12: bool,
    only_13: bool,
}

impl Options {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().cloned().ok_or_else(|| format!("openssl s_client {arg}"));
            match arg.as_str() {
                "-connect" => options.connect = value()?,
                "-host" => options.connect = format!("{}:{}", value()?, port_of(&options.connect)),
                "-port" => options.connect = format!("{}:{}", host_of(&options.connect), value()?),
                "-servername" => options.server_name = Some(value()?),
                "-noservername" => options.no_server_name = true,
                "-CAfile" => options.ca_file = Some(value()?),
                "-cert" => options.cert = Some(value()?),
                "-key" => options.key = Some(value()?),
                "-proxy" => options.proxy = Some(value()?),
                "-alpn" => options.alpn = value()?.split(',').map(|name| name.as_bytes().to_vec()).collect(),
                "-verify_hostname" => options.verify_hostname = Some(value()?),
                "-verify" => options.verify_depth = Some(value()?),
                "-verify_return_error" => options.return_error = true,
                "-showcerts" => options.show_certs = true,
                "-brief" => options.brief = true,
                "-quiet" => (options.quiet, options.ignore_eof) = (true, true),
                "-ign_eof" => options.ignore_eof = true,
                "-no_ign_eof" => options.ignore_eof = false,
                "-tls1_2" => options.only_12 = true,
                "-tls1_3" => options.only_13 = true,
                place if !place.starts_with('-') => options.connect = place.to_owned(),
                _ => return Err(format!("openssl s_client {arg}")),
            }
        }
        if options.connect.is_empty() { Err("openssl s_client without a host".to_owned()) } else { Ok(options) }
    }
}

fn host_of(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(host, _)| host).trim_matches(['[', ']'])
}

fn port_of(place: &str) -> &str {
    place.rsplit_once(':').map_or("4433", |(_, port)| port)
}

pub(super) async fn main(process: &Process, args: &[String]) -> Exit {
    let options = match Options::read(args) {
        Ok(options) => options,
        Err(what) => return Exit::not_simulated(what),
    };
    match talk(process, &options).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn talk(process: &Process, options: &Options) -> Result<Exit, Exit> {
    if let Some(depth) = &options.verify_depth {
        process.warn(format!("verify depth is {depth}\n")).await;
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let config = config(process, options, &seen).await?;
    let socket = dial(process, options).await?;
    let host = host_of(&options.connect);
    let named = options.server_name.as_deref().unwrap_or(host);
    let has_name = !options.no_server_name && named.parse::<IpAddr>().is_err();
    let name = ServerName::try_from(named.to_owned())
        .map_err(|_| Exit::not_simulated(format!("TLS to a host named {named}")))?;
    if !options.brief && !options.quiet {
        process.print("CONNECTED(00000003)\n").await?;
    }
    let outcome = TlsConnector::from(config).connect(name, socket).await;
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let report = Report { options, has_name, host: named };
    if !seen.chain.is_empty() {
        if !has_name {
            process.warn("Can't use SSL_get_servername\n").await;
        }
        process.warn(report.verification(&mut seen)).await;
    }
    let stream = match outcome {
        Ok(stream) if options.return_error && seen.code != 0 => {
            drop(stream);
            return failed(process, &report, &seen, VERIFY_FAILED).await;
        }
        Ok(stream) => stream,
        Err(error) => return broken(process, &report, &seen, &error).await,
    };
    let (_, connection) = stream.get_ref();
    if options.brief {
        process.warn(report.brief(connection, &seen)).await;
    } else if !options.quiet {
        process.print(report.whole(Some(connection), &seen)).await?;
    }
    pipe(process, options, stream).await
}

/// What a certificate that does not verify leaves in the error queue.
const VERIFY_FAILED: &str = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:\
    ../ssl/statem/statem_clnt.c:1889:";

async fn config(process: &Process, options: &Options, seen: &Arc<Mutex<Seen>>) -> Result<Arc<ClientConfig>, Exit> {
    let roots = match &options.ca_file {
        None => process.net.trust(),
        Some(path) => {
            let data = process.fs.read(&process.path(path)).unwrap_or_default();
            let mut store = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(&data).flatten() {
                // One that cannot be read is as good as none.
                let _ = store.add(certificate);
            }
            if store.is_empty() {
                return Err(Exit::not_simulated(format!("openssl s_client -CAfile {path}")));
            }
            Arc::new(store)
        }
    };
    let provider = process.net.tls_provider();
    let failed = |error: String| Exit::not_simulated(format!("openssl s_client: {error}"));
    let roots = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let verifier = Verifier {
        roots: Some(roots),
        insecure: true,
        provider: provider.clone(),
        clock: process.clock.clone(),
        seen: Arc::clone(seen),
    };
    let versions: &[&rustls::SupportedProtocolVersion] = match (options.only_12, options.only_13) {
        (true, _) => &[&rustls::version::TLS12],
        (_, true) => &[&rustls::version::TLS13],
        _ => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|error| failed(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let identity = match &options.cert {
        None => None,
        Some(path) => {
            let read = |path: &str| process.fs.read(&process.path(path)).unwrap_or_default();
            let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(path)).filter_map(Result::ok).collect();
            let key = PrivateKeyDer::from_pem_slice(&read(options.key.as_deref().unwrap_or(path))).ok();
            let identity = key.and_then(|key| CertifiedKey::from_der(chain, key, &provider).ok());
            Some(Arc::new(identity.ok_or_else(|| failed(format!("-cert {path}")))?))
        }
    };
    let mut config = builder.with_client_cert_resolver(Arc::new(Offer { identity, seen: Arc::clone(seen) }));
    config.alpn_protocols.clone_from(&options.alpn);
    config.enable_sni = !options.no_server_name;
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Connects to the host, or asks the proxy to.
async fn dial(process: &Process, options: &Options) -> Result<Socket, Exit> {
    let place = options.proxy.as_deref().unwrap_or(&options.connect);
    let place = place.strip_prefix("http://").unwrap_or(place).trim_end_matches('/');
    let Ok(port) = port_of(place).parse() else {
        return Err(Exit::not_simulated(format!("openssl s_client to {place}")));
    };
    let address = match process.net.resolve(host_of(place)).await.map(|found| found.into_iter().next()) {
        Ok(Some(ip)) => SocketAddr::new(ip, port),
        _ => {
            let text = "error:10080002:BIO routines:BIO_lookup_ex:system lib:../crypto/bio/bio_addr.c:746:\
                        Name or service not known";
            process.warn(format!("{THREAD}:{text}\nconnect:errno=0\n")).await;
            return Err(Exit::FAILURE);
        }
    };
    let mut socket = match process.net.connect(address).await {
        Ok(socket) => socket,
        Err(error) => return Err(refused(process, &error).await),
    };
    if options.proxy.is_some() {
        let target = &options.connect;
        let request = format!("CONNECT {target} HTTP/1.0\r\n\r\n");
        let mut head = Vec::new();
        if socket.write_all(request.as_bytes()).await.is_ok() {
            while !head.ends_with(b"\r\n\r\n") && head.len() < 64 << 10 {
                let mut byte = [0];
                match socket.read(&mut byte).await {
                    Ok(1..) => head.push(byte[0]),
                    _ => break,
                }
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let reason = head.lines().next().and_then(|line| line.split_once(' ')).map_or("", |(_, reason)| reason);
        if !reason.starts_with('2') {
            process.warn(format!("s_client: HTTP CONNECT failed, reason= {reason}\n")).await;
            return Err(Exit::FAILURE);
        }
    }
    Ok(socket)
}

async fn refused(process: &Process, error: &io::Error) -> Exit {
    if let Some(reason) = net::not_simulated(error) {
        return Exit::not_simulated(reason);
    }
    let (number, text) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (111, "Connection refused"),
        io::ErrorKind::HostUnreachable => (113, "No route to host"),
        io::ErrorKind::NetworkUnreachable => (101, "Network is unreachable"),
        io::ErrorKind::TimedOut => (110, "Connection timed out"),
        _ => (104, "Connection reset by peer"),
    };
    let code = 0x8000_0000u32 + number;
    process
        .warn(format!(
            "{THREAD}:error:{code:08X}:system library:BIO_connect:{text}:../crypto/bio/bio_sock2.c:117:calling connect()\n\
             {THREAD}:error:10000067:BIO routines:BIO_connect:connect error:../crypto/bio/bio_sock2.c:119:\n\
             connect:errno={number}\n"
        ))
        .await;
    Exit::FAILURE
}

/// A handshake that broke off: the error, and the report of a connection without a certificate.
async fn broken(process: &Process, report: &Report<'_>, seen: &Seen, error: &io::Error) -> Result<Exit, Exit> {
    if let Some(reason) = net::not_simulated(error) {
        return Err(Exit::not_simulated(reason));
    }
    let text = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => {
            "error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../ssl/record/ssl3_record.c:350:"
        }
        Some(other) => return Err(Exit::not_simulated(format!("a TLS handshake that ends so: {other}"))),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "error:0A000126:SSL routines:ssl3_read_n:unexpected eof while reading:../ssl/record/rec_layer_s3.c:321:"
        }
        None => {
            process.warn("write:errno=104\n").await;
            if !report.options.brief && !report.options.quiet {
                process.print(report.whole(None, seen)).await?;
            }
            return Ok(Exit::FAILURE);
        }
    };
    failed(process, report, seen, text).await
}

async fn failed(process: &Process, report: &Report<'_>, seen: &Seen, text: &str) -> Result<Exit, Exit> {
    process.warn(format!("{THREAD}:{text}\n")).await;
    if !report.options.brief && !report.options.quiet {
        process.print(report.whole(None, seen)).await?;
    }
    Ok(Exit::FAILURE)
}

/// Sends standard input, and prints what comes, until either ends.
async fn pipe(process: &Process, options: &Options, stream: TlsStream<Socket>) -> Result<Exit, Exit> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (stdin, stdout) = (process.stdin(), process.stdout());
    let send = async {
        loop {
            match stdin.read(1 << 14).await {
                Ok(data) if !data.is_empty() => {
                    if data.starts_with(b"Q") && !options.ignore_eof {
                        return;
                    }
                    if writer.write_all(&data).await.is_err() || writer.flush().await.is_err() {
                        return std::future::pending().await;
                    }
                }
                _ if options.ignore_eof => return std::future::pending().await,
                _ => return,
            }
        }
    };
    let receive = async {
        let mut buffer = vec![0; 1 << 14];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            if stdout.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    let closed = tokio::select! {
        biased;
        () = receive => true,
        () = send => false,
    };
    if !closed {
        process.warn("DONE\n").await;
    } else if !options.quiet && !options.brief {
        process.print("closed\n").await?;
    }
    Ok(Exit::SUCCESS)
}

/// What is told of a connection.
struct Report<'a> {
    options: &'a Options,
    has_name: bool,
    host: &'a str,
}

fn words(code: u32) -> &'static str {
    match code {
        UNVERIFIED => "unable to verify the first certificate",
        HOSTNAME_MISMATCH => "hostname mismatch",
        code => verify::words(code),
    }
}

impl Report<'_> {
    /// The lines of the verification, as its callback prints them one certificate at a time; sets the number that is left.
    fn verification(&self, seen: &mut Seen) -> String {
        let quiet = self.options.brief;
        let chain: Vec<_> = seen.chain.iter().filter_map(|der| x509::parse(der)).collect();
        let Some(leaf) = chain.first() else { return String::new() };
        let names: Vec<String> =
            chain.iter().map(|certificate| x509::name(certificate.subject(), " = ", ", ")).collect();
        let issuer = x509::name(leaf.issuer(), " = ", ", ");
        let validity = leaf.validity();
        let end = format!("notAfter={}\n", x509::time(validity.not_after.timestamp()));
        let start = format!("notBefore={}\n", x509::time(validity.not_before.timestamp()));
        let mut text = String::new();
        let good = |depth: usize, name: &str, more: &str| {
            if quiet { more.to_owned() } else { format!("depth={depth} {name}\n{more}verify return:1\n") }
        };
        let stops = self.options.return_error;
        let bad = |depth: usize, name: &str, code: u32, more: &str| {
            let back = if quiet || stops { "" } else { "verify return:1\n" };
            format!("depth={depth} {name}\nverify error:num={code}:{}\n{more}{back}", words(code))
        };
        let mismatch = self.options.verify_hostname.as_ref().is_some_and(|host| !x509::is_for(leaf, host));
        if mismatch {
            text.push_str(&bad(0, &names[0], HOSTNAME_MISMATCH, ""));
        }
        if mismatch && stops {
            seen.code = HOSTNAME_MISMATCH;
            return text;
        }
        match seen.code {
            0 => {
                text.push_str(&good(1, &issuer, ""));
                text.push_str(&good(0, &names[0], ""));
            }
            code @ (9 | 10) => {
                let date = if code == 10 { &end } else { &start };
                text.push_str(&good(1, &issuer, ""));
                text.push_str(&bad(0, &names[0], code, date));
                if !stops {
                    text.push_str(&good(0, &names[0], date));
                }
            }
            code @ (18 | 19) => {
                let depth = if code == 18 { 0 } else { names.len() - 1 };
                text.push_str(&bad(depth, &names[depth], code, ""));
                if !stops {
                    for (depth, name) in names.iter().enumerate().take(depth + 1).rev() {
                        text.push_str(&good(depth, name, ""));
                    }
                }
            }
            code => {
                text.push_str(&bad(0, &names[0], code, ""));
                if !stops {
                    text.push_str(&bad(0, &names[0], UNVERIFIED, ""));
                    text.push_str(&good(0, &names[0], ""));
                    seen.code = UNVERIFIED;
                }
            }
        }
        if mismatch {
            seen.code = HOSTNAME_MISMATCH;
        }
        text
    }

    fn verdict(&self, seen: &Seen) -> String {
        match seen.code {
            0 => {
                let peer = self.options.verify_hostname.as_ref().filter(|_| !seen.chain.is_empty());
                let peer = peer.map(|host| format!("Verified peername: {host}\n")).unwrap_or_default();
                format!("Verification: OK\n{peer}")
            }
            code => format!("Verification error: {}\n", words(code)),
        }
    }

    /// The kind of the server's signature: its digest, if it has one, and its name.
    fn signature(seen: &Seen) -> (Option<&'static str>, &'static str) {
        let kind = seen.chain.first().and_then(|der| x509::parse(der)).map(|leaf| x509::key_kind(&leaf).0);
        match kind.as_deref() {
            Some("RSA") => (Some("SHA256"), "RSA-PSS"),
            Some("ED25519") | None => (None, "ed25519"),
            Some(_) => (Some("SHA256"), "ECDSA"),
        }
    }

    fn brief(&self, connection: &rustls::ClientConnection, seen: &Seen) -> String {
        let leaf = seen.chain.first().and_then(|der| x509::parse(der));
        let subject = leaf.map(|leaf| x509::name(leaf.subject(), " = ", ", ")).unwrap_or_default();
        let (digest, signature) = Self::signature(seen);
        let (version, suite) = agreed(connection);
        format!(
            "CONNECTION ESTABLISHED\nProtocol version: {version}\nCiphersuite: {suite}\nPeer certificate: {subject}\n\
             Hash used: {}\nSignature type: {signature}\n{}Server Temp Key: X25519, 253 bits\n",
            digest.unwrap_or("UNDEF"),
            self.verdict(seen),
        )
    }

    /// The whole report; of a connection that failed, that there is no certificate.
    fn whole(&self, connection: Option<&rustls::ClientConnection>, seen: &Seen) -> String {
        let mut text = "---\n".to_owned();
        let certificates: Vec<_> = seen.chain.iter().filter_map(|der| Some((der, x509::parse(der)?))).collect();
        if !certificates.is_empty() {
            text.push_str("Certificate chain\n");
        }
        for (level, (der, certificate)) in certificates.iter().enumerate() {
            let (kind, bits, _) = x509::key_kind(certificate);
            let kind = if kind == "RSA" { "rsaEncryption".to_owned() } else { kind };
            let validity = certificate.validity();
            text.push_str(&format!(
                " {level} s:{}\n   i:{}\n   a:PKEY: {kind}, {bits} (bit); sigalg: {}\n   v:NotBefore: {}; NotAfter: {}\n",
                x509::name(certificate.subject(), " = ", ", "),
                x509::name(certificate.issuer(), " = ", ", "),
                signature_name(x509::signature(certificate)),
                x509::time(validity.not_before.timestamp()),
                x509::time(validity.not_after.timestamp()),
            ));
            if self.options.show_certs {
                text.push_str(&pem(der));
            }
        }
        if !certificates.is_empty() {
            text.push_str("---\n");
        }
        match (connection, certificates.first()) {
            (Some(_), Some((der, leaf))) => {
                let pem = if self.options.show_certs { String::new() } else { pem(der) };
                text.push_str(&format!(
                    "Server certificate\n{pem}subject={}\nissuer={}\n",
                    x509::name(leaf.subject(), " = ", ", "),
                    x509::name(leaf.issuer(), " = ", ", "),
                ));
            }
            _ => text.push_str("no peer certificate available\n"),
        }
        text.push_str("---\nNo client certificate CA names sent\n");
        if connection.is_some() {
            let (digest, signature) = Self::signature(seen);
            if let Some(digest) = digest {
                text.push_str(&format!("Peer signing digest: {digest}\n"));
            }
            text.push_str(&format!("Peer signature type: {signature}\n"));
        }
        if !certificates.is_empty() {
            text.push_str("Server Temp Key: X25519, 253 bits\n");
        }
        text.push_str(&self.end(connection, seen));
        text
    }

    fn end(&self, connection: Option<&rustls::ClientConnection>, seen: &Seen) -> String {
        let certificates: usize = seen.chain.iter().map(|certificate| certificate.len() + 5).sum();
        let name = if self.has_name { self.host.len() + 9 } else { 0 };
        let (read, written) = match connection {
            Some(_) => (359 + certificates, 377 + name),
            None if certificates > 0 => (184 + certificates, 303 + name),
            None => (0, 296 + name),
        };
        let session = match connection {
            Some(connection) => {
                let (version, suite) = agreed(connection);
                let bits =
                    seen.chain.first().and_then(|der| x509::parse(der)).map_or(256, |leaf| x509::key_kind(&leaf).1);
                format!("New, {version}, Cipher is {suite}\nServer public key is {bits} bit\n")
            }
            None if certificates > 0 => "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\n".to_owned(),
            None => "New, (NONE), Cipher is (NONE)\n".to_owned(),
        };
        let alpn = connection.and_then(|connection| connection.alpn_protocol()).map_or_else(
            || "No ALPN negotiated".to_owned(),
            |name| format!("ALPN protocol: {}", String::from_utf8_lossy(name)),
        );
        format!(
            "---\nSSL handshake has read {read} bytes and written {written} bytes\n{}---\n{session}\
             Secure Renegotiation IS NOT supported\nCompression: NONE\nExpansion: NONE\n{alpn}\nEarly data was not sent\n\
             Verify return code: {} ({})\n---\n",
            self.verdict(seen),
            seen.code,
            words(seen.code),
        )
    }
}

fn signature_name(name: &'static str) -> &'static str {
    match name {
        "sha256WithRSAEncryption" => "RSA-SHA256",
        "sha384WithRSAEncryption" => "RSA-SHA384",
        "sha512WithRSAEncryption" => "RSA-SHA512",
        other => other,
    }
}

fn agreed(connection: &rustls::ClientConnection) -> (&'static str, String) {
    let is_12 = connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_2);
    let suite = connection.negotiated_cipher_suite().map(|suite| suite_name(suite.suite()));
    (if is_12 { "TLSv1.2" } else { "TLSv1.3" }, suite.unwrap_or_default())
}

/// A certificate in PEM.
pub(super) fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem + "-----END CERTIFICATE-----\n"
}
