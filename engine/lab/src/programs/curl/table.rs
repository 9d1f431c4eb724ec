//! Every option of curl 8, so that one the lab lacks is told from one that does not exist.
//!
//! Invariant: a name is listed because curl has it; what the lab does with it stands in `options`.

/// Long name, letter (a blank for none), whether it takes a value.
pub(super) const OPTIONS: &[(&str, char, bool)] = &[
    ("cacert", ' ', true),
    ("compressed", ' ', false),
    ("connect-timeout", ' ', true),
    ("connect-to", ' ', true),
    ("cookie", 'b', true),
    ("data", 'd', true),
    ("data-ascii", ' ', true),
    ("data-binary", ' ', true),
    ("data-raw", ' ', true),
    ("disable", 'q', false),
    ("dump-header", 'D', true),
    ("fail", 'f', false),
    ("fail-early", ' ', false),
    ("fail-with-body", ' ', false),
    ("get", 'G', false),
    ("globoff", 'g', false),
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
    ("location", 'L', false),
    ("max-redirs", ' ', true),
    ("max-time", 'm', true),
    ("no-alpn", ' ', false),
    ("no-buffer", 'N', false),
    ("no-keepalive", ' ', false),
    ("no-progress-meter", ' ', false),
    ("noproxy", ' ', true),
    ("output", 'o', true),
    ("proxy", 'x', true),
    ("proxy-header", ' ', true),
    ("proxy-user", 'U', true),
    ("proxytunnel", 'p', false),
    ("range", 'r', true),
    ("referer", 'e', true),
    ("remote-name", 'O', false),
    ("request", 'X', true),
    ("resolve", ' ', true),
    ("retry", ' ', true),
    ("retry-all-errors", ' ', false),
    ("retry-connrefused", ' ', false),
    ("retry-delay", ' ', true),
    ("retry-max-time", ' ', true),
    ("show-error", 'S', false),
    ("show-headers", ' ', false),
    ("silent", 's', false),
    ("suppress-connect-headers", ' ', false),
    ("tcp-nodelay", ' ', false),
    ("tlsv1.2", ' ', false),
    ("url", ' ', true),
    ("user", 'u', true),
    ("user-agent", 'A', true),
    ("verbose", 'v', false),
    ("version", 'V', false),
    ("write-out", 'w', true),
];

/// Long names that curl has and the lab lacks.
const LACKING: &str = "abstract-unix-socket alt-svc anyauth append aws-sigv4 basic ca-native capath cert cert-status cert-type \
    ciphers compressed-ssh config continue-at cookie-jar create-dirs create-file-mode crlf crlfile curves data-urlencode \
    delegation digest disable-eprt disable-epsv disallow-username-in-url dns-interface dns-ipv4-addr dns-ipv6-addr \
    dns-servers doh-cert-status doh-insecure doh-url dump-ca-embed ech egd-file engine etag-compare etag-save \
    expect100-timeout false-start form form-escape form-string ftp-account ftp-alternative-to-user ftp-create-dirs \
    ftp-method ftp-pasv ftp-port ftp-pret ftp-skip-pasv-ip ftp-ssl-ccc ftp-ssl-ccc-mode ftp-ssl-control \
    happy-eyeballs-timeout-ms haproxy-clientip haproxy-protocol help hostpubmd5 hostpubsha256 hsts http0.9 \
    http2-prior-knowledge http3 http3-only ignore-content-length interface ip-tos ipfs-gateway junk-session-cookies \
    keepalive-cnt key key-type krb libcurl limit-rate list-only local-port location-trusted login-options mail-auth mail-from \
    mail-rcpt mail-rcpt-allowfails manual max-filesize metalink mptcp negotiate netrc netrc-file netrc-optional next \
    no-clobber no-npn no-sessionid ntlm ntlm-wb oauth2-bearer output-dir parallel parallel-immediate parallel-max pass \
    path-as-is pinnedpubkey post301 post302 post303 preproxy progress-bar proto proto-default proto-redir proxy-anyauth \
    proxy-basic proxy-ca-native proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile \
    proxy-digest proxy-http2 proxy-insecure proxy-key proxy-key-type proxy-negotiate proxy-ntlm proxy-pass \
    proxy-pinnedpubkey proxy-service-name proxy-ssl-allow-beast proxy-ssl-auto-client-cert proxy-tls13-ciphers \
    proxy-tlsauthtype proxy-tlspassword proxy-tlsuser proxy-tlsv1 proxy1.0 pubkey quote random-file rate raw \
    remote-header-name remote-name-all remote-time remove-on-error request-target sasl-authzid sasl-ir service-name \
    sigalgs skip-existing socks4 socks4a socks5 socks5-basic socks5-gssapi socks5-gssapi-nec socks5-gssapi-service \
    socks5-hostname speed-limit speed-time ssl ssl-allow-beast ssl-auto-client-cert ssl-no-revoke ssl-reqd \
    ssl-revoke-best-effort ssl-sessions sslv2 sslv3 stderr styled-output tcp-fastopen telnet-option tftp-blksize \
    tftp-no-options time-cond tls-earlydata tls-max tls13-ciphers tlsauthtype tlspassword tlsuser tlsv1 tlsv1.0 tlsv1.1 \
    tlsv1.3 tr-encoding trace trace-ascii trace-config trace-ids trace-time unix-socket upload-file upload-flags url-query \
    use-ascii variable vlan-priority xattr";

/// Letters that curl has and the lab lacks.
const LACKING_LETTERS: &str = "aBcCEFhjJKlMnPQRtTyYzZ#123:";

/// Whether curl has this long option, though the lab lacks it.
pub(super) fn lacks(name: &str) -> bool {
    LACKING.split_whitespace().any(|lacking| lacking == name)
}

/// Whether curl has this letter, though the lab lacks it.
pub(super) fn lacks_letter(letter: char) -> bool {
    LACKING_LETTERS.contains(letter)
}
