//! curl against hosts of the lab: exit codes, outputs, and the bytes that others see.

use crate::net::{HostSpec, Net, Socket};
use crate::process::testing::{Output, clock, container_in, pod, run_in};
use crate::process::{Container, Exit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What recorded meters start with.
const TITLES: &str = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n";
const ZERO: &str = "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0";

const HOSTS: &str = r"
- name: en.wikipedia.org
  address: 198.51.100.192
  ports:
    80: !http {}
    443: !https
      pages:
        /wiki/Main_Page: { title: 'Wikipedia, the free encyclopedia', size: 80432 }
        /moved: { status: 301, headers: { Location: /wiki/Main_Page }, body: '' }
        /loop: { status: 302, headers: { Location: /loop }, body: '' }
    81: reset
    82: blackhole
    83: silent
- name: expired.example
  address: 198.51.100.1
  ports: { 443: !https { certificate: expired } }
- name: self.example
  address: 198.51.100.2
  ports: { 443: !https { certificate: self-signed } }
- name: wrong.example
  address: 198.51.100.3
  ports: { 443: !https { certificate: wrong-name } }
- name: unknown.example
  address: 198.51.100.4
  ports: { 443: !https { certificate: untrusted } }
- name: httpbin.org
  address: 198.51.100.34
  ports: { 80: !http { pages: { /headers: { echo: headers } } } }
";

fn world() -> (Net, Container) {
    let net = Net::new(clock(), 1);
    let hosts: Vec<HostSpec> = serde_yaml::from_str(HOSTS).expect("invariant: the hosts above are well-formed");
    for host in hosts {
        net.add_host(host);
    }
    let netns = pod(&net);
    (net, container_in("curlimages/curl:8.14.1", netns))
}

async fn curl(container: &Container, line: &str) -> Output {
    let argv: Vec<&str> = std::iter::once("curl").chain(line.split(' ')).collect();
    run_in(container, &argv, b"").await
}

/// A pod that answers one connection with `answer`, whatever is asked, and gives what it was asked.
fn serve_once(net: &Net, answer: &'static [u8]) -> tokio::task::JoinHandle<String> {
    let netns = net.add_pod(crate::net::PodNet {
        ip: [10, 244, 0, 95].into(),
        namespace: "default".to_owned(),
        pod: "server".to_owned(),
        labels: std::collections::BTreeMap::new(),
        service_account: "default".to_owned(),
    });
    let mut listener = netns.listen(3128).expect("invariant: nobody else listens");
    tokio::spawn(async move {
        let mut socket: Socket = listener.accept().await.expect("invariant: the pod stays");
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if socket.read(&mut byte).await.unwrap_or(0) == 0 {
                break;
            }
            asked.push(byte[0]);
        }
        socket.write_all(answer).await.unwrap_or_default();
        socket.shutdown().await.unwrap_or_default();
        String::from_utf8_lossy(&asked).into_owned()
    })
}

#[tokio::test(start_paused = true)]
async fn a_page_comes_over_tls_with_the_meter_beside_it() {
    let (_net, container) = world();
    let output = curl(&container, "https://en.wikipedia.org/wiki/Main_Page").await;
    assert_eq!((output.exit, output.stdout.len()), (Exit::SUCCESS, 80_432));
    assert!(output.stdout.contains("<title>Wikipedia, the free encyclopedia</title>"));
    let start = format!("{TITLES}{ZERO}\r100 80432  100 80432    0     0  ");
    assert!(output.stderr.starts_with(&start) && output.stderr.ends_with('\n'), "{:?}", output.stderr);
}

#[tokio::test(start_paused = true)]
async fn failures_have_curls_codes_and_words() {
    let (_net, container) = world();
    let site = "en.wikipedia.org";
    let cases = [
        ("https://no-such-host.invalid/".to_owned(), 6, "curl: (6) Could not resolve host: no-such-host.invalid\n"),
        (
            format!("http://{site}:84/"),
            7,
            "curl: (7) Failed to connect to en.wikipedia.org port 84 after 0 ms: Could not connect to server\n",
        ),
        (format!("http://{site}:81/"), 56, "curl: (56) Recv failure: Connection reset by peer\n"),
        (format!("http://{site}:443/"), 56, "curl: (56) Recv failure: Connection reset by peer\n"),
        (format!("https://{site}:81/"), 35, "curl: (35) Recv failure: Connection reset by peer\n"),
        (
            format!("--connect-timeout 2 http://{site}:82/"),
            28,
            "curl: (28) Connection timed out after 2001 milliseconds\n",
        ),
        (format!("-m 3 http://{site}:82/"), 28, "curl: (28) Connection timed out after 3001 milliseconds\n"),
        (
            format!("-m 3 http://{site}:83/"),
            28,
            "curl: (28) Operation timed out after 3001 milliseconds with 0 bytes received\n",
        ),
        ("https://expired.example/".to_owned(), 60, "curl: (60) SSL certificate problem: certificate has expired\n"),
        ("https://self.example/".to_owned(), 60, "curl: (60) SSL certificate problem: self-signed certificate\n"),
        (
            "https://unknown.example/".to_owned(),
            60,
            "curl: (60) SSL certificate problem: unable to get local issuer certificate\n",
        ),
        (
            "https://wrong.example/".to_owned(),
            60,
            "curl: (60) SSL: no alternative certificate subject name matches target hostname 'wrong.example'\n",
        ),
        (format!("-f https://{site}/none"), 22, "curl: (22) The requested URL returned error: 404\n"),
        (format!("-L https://{site}/loop"), 47, "curl: (47) Maximum (50) redirects followed\n"),
        ("http://".to_owned(), 3, "curl: (3) URL rejected: No host part in the URL\n"),
        (
            "--frob".to_owned(),
            2,
            "curl: option --frob: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n",
        ),
    ];
    let after = regex::Regex::new(r"after \d+ m").expect("invariant: a valid expression");
    for (line, code, message) in cases {
        let output = curl(&container, &format!("-sS {line}")).await;
        let (stderr, message) = (after.replace(&output.stderr, "after N m"), after.replace(message, "after N m"));
        assert_eq!(output.exit, Exit::Code(code), "{line}: {output:?}");
        assert!(stderr.starts_with(&*message), "{line}: {stderr:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn options_show_and_choose() {
    let (_net, container) = world();
    let site = "https://en.wikipedia.org";
    let cases = [
        (format!("-s -o /dev/null -w %{{http_code}} {site}/none"), "404"),
        (format!("-sL -o /dev/null -w %{{http_code}}:%{{num_redirects}} {site}/moved"), "200:1"),
        (format!("-s -o /dev/null -w %{{redirect_url}} {site}/moved"), "https://en.wikipedia.org/wiki/Main_Page"),
        ("-sk -o /dev/null -w %{http_code} https://self.example/".to_owned(), "200"),
        ("-s -o /dev/null -w %{remote_ip}:%{remote_port} http://httpbin.org/headers".to_owned(), "198.51.100.34:80"),
        (
            "-s --resolve nowhere.example:80:198.51.100.34 -o /dev/null -w %{http_code} http://nowhere.example/headers"
                .to_owned(),
            "200",
        ),
        (
            "-s --connect-to ::httpbin.org: -o /dev/null -w %{http_code} http://nowhere.example/headers".to_owned(),
            "200",
        ),
    ];
    for (line, expected) in cases {
        let output = curl(&container, &line).await;
        assert_eq!((output.stdout.as_str(), output.exit), (expected, Exit::SUCCESS), "{line}: {}", output.stderr);
    }
    let head = curl(&container, "-sI http://httpbin.org/headers").await;
    assert!(head.stdout.starts_with("HTTP/1.1 200 OK\r\n") && head.stdout.ends_with("\r\n\r\n"), "{head:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connect_is_asked_for_as_recorded() {
    let (net, container) = world();
    let server = serve_once(&net, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let argv = ["sh", "-c", "HTTPS_PROXY=10.244.0.95:3128 curl -sSv https://en.wikipedia.org/wiki/Main_Page"];
    let output = run_in(&container, &argv, b"").await;
    let asked = server.await.unwrap();
    let request = "CONNECT en.wikipedia.org:443 HTTP/1.1\r\nHost: en.wikipedia.org:443\r\nUser-Agent: curl/8.14.1\r\n\
                   Proxy-Connection: Keep-Alive\r\n\r\n";
    assert_eq!(asked, request);
    assert_eq!(output.exit, Exit::Code(56));
    assert!(output.stderr.ends_with("curl: (56) CONNECT tunnel failed, response 404\n"), "{}", output.stderr);
    let notes = [
        "* Uses proxy env variable HTTPS_PROXY == '10.244.0.95:3128'\n*   Trying 10.244.0.95:3128...\n\
         * CONNECT tunnel: HTTP/1.1 negotiated\n* allocate connect buffer\n\
         * Establish HTTP proxy tunnel to en.wikipedia.org:443\n> CONNECT en.wikipedia.org:443 HTTP/1.1\r\n",
        "< HTTP/1.1 404 Not Found\r\n< content-length: 0\r\n< \r\n* CONNECT tunnel failed, response 404\n\
         * closing connection #0\n",
    ];
    for note in notes {
        assert!(output.stderr.contains(note), "{}", output.stderr);
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_closes_or_is_not_there() {
    let (net, container) = world();
    let proxied = "-sS -x 10.244.0.95:3128 -o /dev/null -w %{http_code}:%{http_connect} https://en.wikipedia.org/";
    let output = curl(&container, proxied).await;
    assert_eq!((output.exit, output.stdout.as_str()), (Exit::Code(7), "000:000"));
    let server = serve_once(&net, b"");
    let output = curl(&container, proxied).await;
    server.await.unwrap();
    assert_eq!((output.exit, output.stdout.as_str()), (Exit::Code(56), "000:000"));
    assert_eq!(output.stderr, "curl: (56) Proxy CONNECT aborted\n");
}

#[tokio::test(start_paused = true)]
async fn plain_http_goes_through_a_proxy_in_lower_case_only() {
    let (net, container) = world();
    let server = serve_once(&net, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let script = "HTTP_PROXY=10.244.0.95:3128 curl -s -o /dev/null -w '%{remote_ip} ' http://httpbin.org/headers; \
                  http_proxy=10.244.0.95:3128 curl -s http://httpbin.org/headers";
    let output = run_in(&container, &["sh", "-c", script], b"").await;
    assert_eq!(output.stdout, "198.51.100.34 hi");
    let asked = server.await.unwrap();
    let expected = "GET http://httpbin.org/headers HTTP/1.1\r\nHost: httpbin.org\r\nUser-Agent: curl/8.14.1\r\n\
                    Accept: */*\r\nProxy-Connection: Keep-Alive\r\n\r\n";
    // The recorded sidecar counted 130 bytes from the client.
    assert_eq!((asked.as_str(), asked.len()), (expected, 130));
}

#[tokio::test(start_paused = true)]
async fn the_tutorials_pipe_finds_the_title() {
    let (_net, container) = world();
    let script = "curl -s https://en.wikipedia.org/wiki/Main_Page | grep -o '<title>.*</title>'";
    let output = run_in(&container, &["sh", "-c", script], b"").await;
    assert_eq!(
        (output.stdout.as_str(), output.exit),
        ("<title>Wikipedia, the free encyclopedia</title>\n", Exit::SUCCESS)
    );
    let script = "curl -s https://en.wikipedia.org:84/ | grep -o '<title>.*</title>'";
    let output = run_in(&container, &["sh", "-c", script], b"").await;
    assert_eq!((output.stdout.as_str(), output.exit), ("", Exit::FAILURE));
}

#[tokio::test(start_paused = true)]
async fn answers_end_by_length_chunks_or_close() {
    let (net, container) = world();
    let cases: [(&'static [u8], u8, &str); 5] = [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 0, "abcde"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil close", 0, "until close"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 0, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", 18, "short"),
        (b"SSH-2.0-x\r\n", 1, ""),
    ];
    for (answer, code, body) in cases {
        let server = serve_once(&net, answer);
        let output = curl(&container, "-s http://10.244.0.95:3128/").await;
        server.await.unwrap();
        assert_eq!((output.exit, output.stdout.as_str()), (Exit::Code(code), body));
        net.remove_pod([10, 244, 0, 95].into());
    }
}
