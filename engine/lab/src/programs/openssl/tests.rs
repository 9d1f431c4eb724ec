//! `openssl` held against a real one: 3.0.19 before servers that answer as these hosts do.

use crate::net::{HostSpec, Net};
use crate::process::testing::{Output, clock, container_in, pod, run_in};
use crate::process::{Container, Exit};
use regex::Regex;

const HOSTS: &str = include_str!("../../../tests/fixtures/curl/hosts.yaml");

fn world() -> Container {
    let net = Net::new(clock(), 1);
    let hosts: Vec<HostSpec> = serde_yaml::from_str(HOSTS).unwrap();
    for host in hosts {
        net.add_host(host);
    }
    container_in("docker.io/istio/proxyv2:1.27.0", pod(&net))
}

async fn sh(container: &Container, script: &str) -> Output {
    run_in(container, &["sh", "-c", script], b"").await
}

/// Takes out what differs between two runs.
fn mask(text: &str) -> String {
    let rules = [(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT", "DATE"), (r"[0-9A-F]{16}:error", "THREAD:error")];
    rules
        .iter()
        .fold(text.to_owned(), |text, (rule, by)| Regex::new(rule).unwrap().replace_all(&text, *by).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_good_certificate_is_reported_as_recorded() {
    let container = world();
    let script = "openssl s_client -connect en.wikipedia.org:443 -servername en.wikipedia.org </dev/null";
    let output = sh(&container, script).await;
    let recorded = [
        "CONNECTED(00000003)\n---\nCertificate chain\n 0 s:CN = en.wikipedia.org\n   i:CN = Periplus Lab CA\n   \
         a:PKEY: ED25519, 256 (bit); sigalg: ED25519\n   v:NotBefore: DATE; NotAfter: DATE\n---\nServer certificate\n\
         -----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\nsubject=CN = en.wikipedia.org\nissuer=CN = Periplus Lab CA\n---\n\
         No client certificate CA names sent\nPeer signature type: ed25519\nServer Temp Key: X25519, 253 bits\n---\n\
         SSL handshake has read ",
        " bytes and written 402 bytes\nVerification: OK\n---\nNew, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\n\
         Server public key is 256 bit\nSecure Renegotiation IS NOT supported\nCompression: NONE\nExpansion: NONE\n\
         No ALPN negotiated\nEarly data was not sent\nVerify return code: 0 (ok)\n---\n",
    ];
    let found = mask(&output.stdout);
    for piece in recorded {
        assert!(found.contains(piece), "{piece}\n--\n{found}");
    }
    assert!(found.starts_with(recorded[0]) && found.ends_with(recorded[2]), "{found}");
    let verification =
        "depth=1 CN = Periplus Lab CA\nverify return:1\ndepth=0 CN = en.wikipedia.org\nverify return:1\nDONE\n";
    assert_eq!((output.stderr.as_str(), output.exit), (verification, Exit::SUCCESS));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_named_as_recorded() {
    let container = world();
    let tail = "Protocol version: TLSv1.3\nCiphersuite: TLS_AES_256_GCM_SHA384\n";
    let report = |name: &str, verdict: &str| {
        format!(
            "CONNECTION ESTABLISHED\n{tail}Peer certificate: CN = {name}\nHash used: UNDEF\nSignature type: ed25519\n\
             {verdict}\nServer Temp Key: X25519, 253 bits\nDONE\n"
        )
    };
    let cases = [
        ("-connect en.wikipedia.org:443", 0, report("en.wikipedia.org", "Verification: OK")),
        ("en.wikipedia.org:443", 0, report("en.wikipedia.org", "Verification: OK")),
        (
            "-connect expired.example:443",
            0,
            format!(
                "depth=0 CN = expired.example\nverify error:num=10:certificate has expired\nnotAfter=DATE\nnotAfter=DATE\n{}",
                report("expired.example", "Verification error: certificate has expired")
            ),
        ),
        (
            "-connect wrong.example:443 -verify_hostname wrong.example",
            0,
            format!(
                "depth=0 CN = wrong-name.invalid\nverify error:num=62:hostname mismatch\n{}",
                report("wrong-name.invalid", "Verification error: hostname mismatch")
            ),
        ),
        (
            "-connect unknown.example:443",
            0,
            format!(
                "depth=0 CN = unknown.example\nverify error:num=20:unable to get local issuer certificate\n\
                 depth=0 CN = unknown.example\nverify error:num=21:unable to verify the first certificate\n{}",
                report("unknown.example", "Verification error: unable to verify the first certificate")
            ),
        ),
        (
            "-connect httpbin.org:84",
            1,
            "THREAD:error:8000006F:system library:BIO_connect:Connection refused:../crypto/bio/bio_sock2.c:117:calling connect()\n\
             THREAD:error:10000067:BIO routines:BIO_connect:connect error:../crypto/bio/bio_sock2.c:119:\n\
             connect:errno=111\n"
                .to_owned(),
        ),
        (
            "-connect no-such-host.invalid:443",
            1,
            "THREAD:error:10080002:BIO routines:BIO_lookup_ex:system lib:../crypto/bio/bio_addr.c:746:\
             Name or service not known\nconnect:errno=0\n"
                .to_owned(),
        ),
        (
            "-connect httpbin.org:80",
            1,
            "THREAD:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../ssl/record/ssl3_record.c:350:\n"
                .to_owned(),
        ),
        ("-connect en.wikipedia.org:81", 1, "write:errno=104\n".to_owned()),
    ];
    for (options, exit, stderr) in cases {
        let output = sh(&container, &format!("openssl s_client -brief {options} </dev/null")).await;
        assert_eq!((mask(&output.stderr), output.exit), (stderr, Exit::Code(exit)), "{options}");
        assert_eq!(output.stdout, "", "{options}");
    }
    let output = sh(&container, "openssl s_client -connect inspected.example:443 </dev/null").await;
    assert!(output.stdout.contains("\nVerify return code: 19 (self-signed certificate in certificate chain)\n"));
    let recorded = "depth=1 CN = Corporate Inspection CA\nverify error:num=19:self-signed certificate in certificate chain\n\
                    verify return:1\ndepth=1 CN = Corporate Inspection CA\nverify return:1\ndepth=0 CN = inspected.example\n\
                    verify return:1\nDONE\n";
    assert_eq!(output.stderr, recorded);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_taken_apart_and_a_page_fetched() {
    let container = world();
    let client = "openssl s_client -connect en.wikipedia.org:443 </dev/null 2>/dev/null | openssl x509 -noout";
    for (options, recorded) in [
        ("-subject -issuer", "subject=CN = en.wikipedia.org\nissuer=CN = Periplus Lab CA\n"),
        ("-dates", "notBefore=DATE\nnotAfter=DATE\n"),
        (
            "-ext subjectAltName",
            "X509v3 Subject Alternative Name: \n    DNS:en.wikipedia.org, IP Address:198.51.100.192\n",
        ),
        ("-checkend 0", "Certificate will not expire\n"),
    ] {
        let output = sh(&container, &format!("{client} {options}")).await;
        assert_eq!(mask(&output.stdout), recorded, "{options}");
    }
    let text = sh(&container, &format!("{client} -text")).await.stdout;
    let extensions = "        X509v3 extensions:\n            X509v3 Subject Alternative Name: \n                \
                      DNS:en.wikipedia.org, IP Address:198.51.100.192\n            X509v3 Key Usage: critical\n                \
                      Digital Signature\n            X509v3 Extended Key Usage: \n                \
                      TLS Web Server Authentication\n    Signature Algorithm: ED25519\n    Signature Value:\n        ";
    assert!(
        text.starts_with("Certificate:\n    Data:\n        Version: 3 (0x2)\n") && text.contains(extensions),
        "{text}"
    );
    let script =
        "printf 'GET /small HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect en.wikipedia.org:443 2>/dev/null";
    assert!(sh(&container, script).await.stdout.ends_with("\r\n\r\n<title>small</title>\n"));
    let output = sh(&container, "openssl x509 -noout -subject </dev/null").await;
    assert_eq!(
        (output.stderr.as_str(), output.exit),
        ("Could not read certificate from <stdin>\nUnable to load certificate\n", Exit::FAILURE)
    );
    assert!(matches!(sh(&container, "openssl req -new").await.exit, Exit::NotSimulated(_)));
}
