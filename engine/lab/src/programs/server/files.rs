//! nginx and Apache httpd as their images start them: static files, access logs.
//!
//! Invariant: a configuration that is not the image's own is not simulated.

use super::{Answer, Asked, Site, serve};
use crate::fs::FsError;
use crate::image::NGINX_CONF;
use crate::net::http_date;
use crate::process::{Exit, Process};
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// `nginx [-g DIRECTIVES] [-v] [-t]`
pub(crate) async fn nginx(process: Process) -> Exit {
    let version = process.image.version().to_owned();
    let args: Vec<&str> = process.args().iter().map(String::as_str).collect();
    match args.as_slice() {
        ["-v"] => {
            process.warn(format!("nginx version: nginx/{version}\n")).await;
            return Exit::SUCCESS;
        }
        [] | ["-t"] | ["-g", "daemon off;"] => {}
        args => return Exit::not_simulated(format!("nginx {}", args.join(" "))),
    }
    let own = process.fs.read("/etc/nginx/conf.d/default.conf").is_ok_and(|conf| conf == NGINX_CONF.as_bytes());
    let others = process.fs.read_dir("/etc/nginx/conf.d").map_or(0, |entries| entries.len());
    if !own || others > 1 || process.fs.exists("/etc/nginx/nginx.conf") {
        return Exit::not_simulated("a configuration of nginx that is not its image's own");
    }
    if args == ["-t"] {
        process.warn("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n").await;
        process.warn("nginx: configuration file /etc/nginx/nginx.conf test is successful\n").await;
        return Exit::SUCCESS;
    }
    if args.is_empty() {
        return Exit::not_simulated("nginx in the background");
    }
    let pid = process.pid;
    let now = process.clock.now().to_zoned(TimeZone::UTC).strftime("%Y/%m/%d %H:%M:%S").to_string();
    let mut lines = String::new();
    for text in [
        "using the \"epoll\" event method".to_owned(),
        format!("nginx/{version}"),
        "getrlimit(RLIMIT_NOFILE): 1048576:1048576".to_owned(),
        "start worker processes".to_owned(),
        "start worker process 29".to_owned(),
    ] {
        lines.push_str(&format!("{now} [notice] {pid}#{pid}: {text}\n"));
    }
    process.warn(lines).await;
    let site = Files {
        root: "/usr/share/nginx/html",
        server: format!("nginx/{version}"),
        apache: false,
        process: process.clone(),
        connections: AtomicU64::new(0),
    };
    serve(&process, 80, Arc::new(site)).await
}

/// `httpd-foreground`
pub(crate) async fn httpd(process: Process) -> Exit {
    if !process.args().is_empty() {
        return Exit::not_simulated(format!("httpd {}", process.args().join(" ")));
    }
    let ip = process.net.ip();
    let warning = format!(
        "AH00558: httpd: Could not reliably determine the server's fully qualified domain name, using {ip}. Set the \
         'ServerName' directive globally to suppress this message\n"
    );
    process.warn(warning).await;
    let site = Files {
        root: "/usr/local/apache2/htdocs",
        server: format!("Apache/{} (Unix)", process.image.version()),
        apache: true,
        process: process.clone(),
        connections: AtomicU64::new(0),
    };
    serve(&process, 80, Arc::new(site)).await
}

/// A directory of files on the web.
struct Files {
    root: &'static str,
    server: String,
    apache: bool,
    process: Process,
    connections: AtomicU64,
}

impl Site for Files {
    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let path = asked.head.target.split('?').next().unwrap_or_default();
        if path.contains("..") || path.contains('%') {
            return Err(format!("the path {path} of a web server"));
        }
        let mut answer = self.look(&asked.head.method, path)?;
        if answer.status == 404 && !self.apache {
            self.complain(asked, path, number).await;
        }
        answer.headers.0.insert(0, ("Server".to_owned(), self.server.clone()));
        answer.headers.0.insert(1, ("Date".to_owned(), http_date(&self.process.clock)));
        if self.apache {
            answer.headers.0.swap(0, 1);
        }
        self.log(asked, &answer).await?;
        Ok(answer)
    }
}

impl Files {
    fn look(&self, method: &str, path: &str) -> Result<Answer, String> {
        let html = ("Content-Type", if self.apache { "text/html; charset=iso-8859-1" } else { "text/html" });
        if !matches!(method, "GET" | "HEAD") {
            return if self.apache {
                Err(format!("{method} to httpd"))
            } else {
                Ok(Answer::new(405, &[html, ("Connection", "close")], self.page(405, "Not Allowed")))
            };
        }
        let file = format!("{}{path}{}", self.root, if path.ends_with('/') { "index.html" } else { "" });
        if self.process.fs.is_dir(&file) {
            return Err(format!("the directory {path} of a web server"));
        }
        let data = match self.process.fs.read(&file) {
            Ok(data) => data,
            Err(FsError::NotFound | FsError::NotADirectory) if path.ends_with('/') && path != "/" => {
                return Ok(Answer::new(404, &[html], self.page(404, "Not Found")));
            }
            // A directory without an index must not be listed.
            Err(FsError::NotFound) if path.ends_with('/') && !self.apache => {
                return Ok(Answer::new(403, &[html], self.page(403, "Forbidden")));
            }
            Err(FsError::NotFound | FsError::NotADirectory) => {
                return Ok(Answer::new(404, &[html], self.page(404, "Not Found")));
            }
            Err(error) => return Err(format!("a web server on a file: {error}")),
        };
        let modified = self.process.fs.metadata(&file).map_err(|error| error.to_string())?.modified;
        let date = modified.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let length = data.len();
        let tag = if self.apache {
            format!("\"{length:x}-{:x}\"", modified.as_microsecond())
        } else {
            format!("\"{:x}-{length:x}\"", modified.as_second())
        };
        let kind = content_type(&file);
        let length = length.to_string();
        let headers: &[(&str, &str)] = if self.apache {
            &[
                ("Last-Modified", &date),
                ("ETag", &tag),
                ("Accept-Ranges", "bytes"),
                ("Content-Length", &length),
                ("Content-Type", kind),
            ]
        } else {
            &[
                ("Content-Type", kind),
                ("Content-Length", &length),
                ("Last-Modified", &date),
                ("Connection", "keep-alive"),
                ("ETag", &tag),
                ("Accept-Ranges", "bytes"),
            ]
        };
        Ok(Answer::new(200, headers, data))
    }

    /// The page of an error.
    fn page(&self, status: u16, title: &str) -> String {
        if self.apache {
            return format!(
                "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>{status} {title}</title>\n\
                 </head><body>\n<h1>{title}</h1>\n<p>The requested URL was not found on this server.</p>\n</body></html>\n"
            );
        }
        let server = &self.server;
        format!(
            "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n\
             <hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
        )
    }

    async fn complain(&self, asked: &Asked, path: &str, number: u64) {
        let now = self.process.clock.now().to_zoned(TimeZone::UTC).strftime("%Y/%m/%d %H:%M:%S").to_string();
        let Asked { head, client, .. } = asked;
        let host = head.headers.get("host").map(|host| format!(", host: \"{host}\"")).unwrap_or_default();
        let line = format!(
            "{now} [error] 29#29: *{number} open() \"{}{path}\" failed (2: No such file or directory), client: {client}, \
             server: localhost, request: \"{} {} HTTP/1.{}\"{host}\n",
            self.root, head.method, head.target, head.minor
        );
        self.process.warn(line).await;
    }

    async fn log(&self, asked: &Asked, answer: &Answer) -> Result<(), String> {
        let now = self.process.clock.now().to_zoned(TimeZone::UTC).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        let Asked { head, client, .. } = asked;
        let (method, target, minor) = (&head.method, &head.target, head.minor);
        let status = answer.status;
        let length = if method == "HEAD" { 0 } else { answer.body.len() };
        let mut line = format!("{client} - - [{now}] \"{method} {target} HTTP/1.{minor}\" {status} ");
        if self.apache {
            line.push_str(&if length == 0 { "-".to_owned() } else { length.to_string() });
        } else {
            let header = |name| head.headers.get(name).unwrap_or("-");
            let forwarded = header("x-forwarded-for");
            line.push_str(&format!("{length} \"{}\" \"{}\" \"{forwarded}\"", header("referer"), header("user-agent")));
        }
        line.push('\n');
        self.process.print(line).await.map_err(|_| "a web server whose log is closed".to_owned())
    }
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default() {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" => "application/javascript",
        "json" => "application/json",
        "txt" => "text/plain",
        "xml" => "text/xml",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
