//! Every option of curl 8, so that one the lab lacks is told from one that does not exist.
//!
//! Invariant: a name is listed because curl has it; what the lab does with it stands in `options`.

/// Long name, letter (a blank for none), whether it takes a value.
pub(super) const OPTIONS: &[(&str, char, bool)] = &[
    ("basic", ' ', false),
    ("cacert", ' ', true),
    ("capath", ' ', true),
    ("cert", 'E', true),
    ("cert-type", ' ', true),
    ("compressed", ' ', false),
    ("config", 'K', true),
    ("connect-timeout", ' ', true),
    ("connect-to", ' ', true),
    ("cookie", 'b', true),
    ("create-dirs", ' ', false),
    ("data", 'd', true),
    ("data-ascii", ' ', true),
    ("data-binary", ' ', true),
    ("data-raw", ' ', true),
    ("data-urlencode", ' ', true),
    ("disable", 'q', false),
    ("dump-header", 'D', true),
    ("fail", 'f', false),
    ("fail-early", ' ', false),
    ("fail-with-body", ' ', false),
    ("form", 'F', true),
    ("form-string", ' ', true),
    ("get", 'G', false),
    ("globoff", 'g', false),
    ("happy-eyeballs-timeout-ms", ' ', true),
    ("head", 'I', false),
    ("header", 'H', true),
    ("http1.0", '0', false),
    ("http1.1", ' ', false),
    ("http2", ' ', false),
    ("include", 'i', false),
    ("insecure", 'k', false),
    ("ipv4", '4', false),
    ("ipv6", '6', false),
    ("json", ' ', true),
    ("keepalive-time", ' ', true),
    ("key", ' ', true),
    ("key-type", ' ', true),
    ("location", 'L', false),
    ("location-trusted", ' ', false),
    ("max-filesize", ' ', true),
    ("max-redirs", ' ', true),
    ("max-time", 'm', true),
    ("next", ':', false),
    ("no-alpn", ' ', false),
    ("no-buffer", 'N', false),
    ("no-keepalive", ' ', false),
    ("no-progress-meter", ' ', false),
    ("noproxy", ' ', true),
    ("oauth2-bearer", ' ', true),
    ("output", 'o', true),
    ("output-dir", ' ', true),
    ("pass", ' ', true),
    ("path-as-is", ' ', false),
    ("post301", ' ', false),
    ("post302", ' ', false),
    ("post303", ' ', false),
    ("progress-bar", '#', false),
    ("proto", ' ', true),
    ("proto-default", ' ', true),
    ("proto-redir", ' ', true),
    ("proxy", 'x', true),
    ("proxy-basic", ' ', false),
    ("proxy-header", ' ', true),
    ("proxy-insecure", ' ', false),
    ("proxy-user", 'U', true),
    ("proxy1.0", ' ', true),
    ("proxytunnel", 'p', false),
    ("range", 'r', true),
    ("referer", 'e', true),
    ("remote-header-name", 'J', false),
    ("remote-name", 'O', false),
    ("remote-name-all", ' ', false),
    ("request", 'X', true),
    ("request-target", ' ', true),
    ("resolve", ' ', true),
    ("retry", ' ', true),
    ("retry-all-errors", ' ', false),
    ("retry-connrefused", ' ', false),
    ("retry-delay", ' ', true),
    ("retry-max-time", ' ', true),
    ("show-error", 'S', false),
    ("show-headers", ' ', false),
    ("silent", 's', false),
    ("stderr", ' ', true),
    ("styled-output", ' ', false),
    ("suppress-connect-headers", ' ', false),
    ("tcp-nodelay", ' ', false),
    ("tls-max", ' ', true),
    ("tlsv1", '1', false),
    ("tlsv1.0", ' ', false),
    ("tlsv1.1", ' ', false),
    ("tlsv1.2", ' ', false),
    ("tlsv1.3", ' ', false),
    ("upload-file", 'T', true),
    ("url", ' ', true),
    ("url-query", ' ', true),
    ("user", 'u', true),
    ("user-agent", 'A', true),
    ("verbose", 'v', false),
    ("version", 'V', false),
    ("write-out", 'w', true),
];

/// Long names that curl has and the lab lacks.
const LACKING: &str = "abstract-unix-socket alt-svc anyauth append aws-sigv4 ca-native cert-status ciphers compressed-ssh \
    continue-at cookie-jar create-file-mode crlf crlfile curves delegation digest disable-eprt disable-epsv \
    disallow-username-in-url dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-cert-status doh-insecure doh-url \
    dump-ca-embed ech egd-file engine etag-compare etag-save expect100-timeout false-start form-escape ftp-account \
    ftp-alternative-to-user ftp-create-dirs ftp-method ftp-pasv ftp-port ftp-pret ftp-skip-pasv-ip ftp-ssl-ccc \
    ftp-ssl-ccc-mode ftp-ssl-control haproxy-clientip haproxy-protocol help hostpubmd5 hostpubsha256 hsts http0.9 \
    http2-prior-knowledge ignore-content-length interface ip-tos ipfs-gateway junk-session-cookies keepalive-cnt krb \
    libcurl limit-rate list-only local-port login-options mail-auth mail-from mail-rcpt mail-rcpt-allowfails manual \
    metalink mptcp negotiate netrc netrc-file netrc-optional no-clobber no-npn no-sessionid ntlm ntlm-wb parallel \
    parallel-immediate parallel-max pinnedpubkey preproxy proxy-anyauth proxy-ca-native proxy-cacert proxy-capath \
    proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-digest proxy-http2 proxy-key proxy-key-type \
    proxy-negotiate proxy-ntlm proxy-pass proxy-pinnedpubkey proxy-service-name proxy-ssl-allow-beast \
    proxy-ssl-auto-client-cert proxy-tls13-ciphers proxy-tlsauthtype proxy-tlspassword proxy-tlsuser proxy-tlsv1 pubkey \
    quote random-file rate raw remote-time remove-on-error sasl-authzid sasl-ir service-name sigalgs skip-existing socks4 \
    socks4a socks5 socks5-basic socks5-gssapi socks5-gssapi-nec socks5-gssapi-service socks5-hostname speed-limit \
    speed-time ssl ssl-allow-beast ssl-auto-client-cert ssl-no-revoke ssl-reqd ssl-revoke-best-effort ssl-sessions sslv2 \
    sslv3 tcp-fastopen telnet-option tftp-blksize tftp-no-options time-cond tls-earlydata tls13-ciphers tlsauthtype \
    tlspassword tlsuser tr-encoding trace trace-ascii trace-config trace-ids trace-time unix-socket upload-flags use-ascii \
    variable vlan-priority xattr";

/// Long names that curl knows only when it was built with more than these images' curl.
const NOT_BUILT_IN: [&str; 2] = ["http3", "http3-only"];

/// Letters that curl has and the lab lacks.
const LACKING_LETTERS: &str = "aBcChjlMnPQRtyYzZ23";

/// What a long name turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    Option(&'static str, bool),
    Lacking,
    NotBuiltIn,
    Ambiguous,
    No,
}

/// Finds a long name. `by_beginning` says whether a beginning of it will do, as in older releases.
pub(super) fn find(word: &str, by_beginning: bool) -> Known {
    let known = |name: &str| match OPTIONS.iter().find(|(option, ..)| *option == name) {
        Some(&(name, _, takes_value)) => Some(Known::Option(name, takes_value)),
        None if LACKING.split_whitespace().any(|lacking| lacking == name) => Some(Known::Lacking),
        None if NOT_BUILT_IN.contains(&name) => Some(Known::NotBuiltIn),
        None => None,
    };
    if let Some(found) = known(word) {
        return found;
    }
    let mut beginnings = OPTIONS
        .iter()
        .map(|(name, ..)| *name)
        .chain(LACKING.split_whitespace())
        .filter(|name| by_beginning && name.starts_with(word));
    match (beginnings.next(), beginnings.next()) {
        (Some(name), None) => known(name).unwrap_or(Known::No),
        (Some(_), Some(_)) => Known::Ambiguous,
        (None, _) => Known::No,
    }
}

/// Whether curl has this letter, though the lab lacks it.
pub(super) fn lacks_letter(letter: char) -> bool {
    LACKING_LETTERS.contains(letter)
}
