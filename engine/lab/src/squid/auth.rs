//! Who a client of the proxy is: `auth_param basic` with the program `basic_ncsa_auth`.
//!
//! Invariant: a name counts only with the password that the file holds for it; what a real Squid 5.7 takes for a password hash
//! and the lab cannot check ends as not simulated, and what it does not take (plain text, `{SHA}`) is a wrong password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// The realm without a directive of its own.
const DEFAULT_REALM: &str = "Squid proxy-caching web server";

/// The costliest bcrypt hash that is checked: above it one request would stop the lab for seconds.
const MAX_BCRYPT_COST: u32 = 12;

/// Most letters of a password that `$apr1$` can be asked to check.
const MAX_PASSWORD: usize = 255;

/// What `auth_param basic` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Basic {
    /// What the client is asked about.
    pub(super) realm: String,
    /// The file with names and hashes.
    pub(super) passwords: Option<String>,
}

impl Default for Basic {
    fn default() -> Self {
        Self { realm: DEFAULT_REALM.to_owned(), passwords: None }
    }
}

/// What a request says about who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Nothing that could be read.
    None,
    /// A name without the right password.
    Bad { user: String },
    /// A known name with its password.
    Good { user: String },
}

impl Credentials {
    /// The name, good or not.
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Bad { user } | Self::Good { user } => Some(user),
        }
    }

    /// Judges the value of `Proxy-Authorization` by the lines `NAME:HASH` of a password file.
    ///
    /// # Errors
    /// A hash that the lab cannot check.
    pub(super) fn judge(header: Option<&str>, passwords: &str) -> Result<Self, String> {
        let Some((user, password)) = header.and_then(basic) else { return Ok(Self::None) };
        let hash = passwords
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| *name == user)
            .map(|(_, rest)| rest.split(':').next().unwrap_or(rest).trim_end());
        match hash {
            Some(hash) if verify(&password, hash)? => Ok(Self::Good { user }),
            _ => Ok(Self::Bad { user }),
        }
    }
}

/// Name and password of `Basic …`.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    (!user.is_empty()).then(|| (user.to_owned(), password.to_owned()))
}

fn verify(password: &str, hash: &str) -> Result<bool, String> {
    if let Some(rest) = hash.strip_prefix("$apr1$") {
        return Ok(password.len() <= MAX_PASSWORD
            && rest.split_once('$').is_some_and(|(salt, sum)| apr1(password, salt) == sum));
    }
    if hash.starts_with("$2") {
        let cost: Option<u32> = hash.split('$').nth(2).and_then(|cost| cost.parse().ok());
        return match cost {
            Some(cost) if cost > MAX_BCRYPT_COST => Err(format!("a bcrypt hash of cost {cost}")),
            _ => Ok(bcrypt::verify(password, hash).unwrap_or(false)),
        };
    }
    let traditional = hash.len() == 13 && hash.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/');
    if traditional || hash.starts_with('$') {
        return Err("a password hash that is neither $apr1$ nor bcrypt".to_owned());
    }
    Ok(false)
}

/// Apache's MD5 hash of a password, without its prefix and salt, as `htpasswd -m` writes it.
fn apr1(password: &str, salt: &str) -> String {
    const ROUNDS: usize = 1000;
    let (password, salt) = (password.as_bytes(), &salt.as_bytes()[..salt.len().min(8)]);
    let mut inner = Md5::new();
    for part in [password, salt, password] {
        inner.update(part);
    }
    let inner = inner.finalize();
    let mut outer = Md5::new();
    for part in [password, b"$apr1$".as_slice(), salt] {
        outer.update(part);
    }
    outer.update(inner.iter().copied().cycle().take(password.len()).collect::<Vec<u8>>());
    let mut left = password.len();
    while left > 0 {
        outer.update(if left & 1 == 1 { [0] } else { [password[0]] });
        left >>= 1;
    }
    let mut sum = outer.finalize();
    for round in 0..ROUNDS {
        let mut next = Md5::new();
        let (first, last): (&[u8], &[u8]) = if round % 2 == 1 { (password, &sum) } else { (&sum, password) };
        next.update(first);
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(last);
        sum = next.finalize();
    }
    const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
    let mut text = String::new();
    for [high, middle, low] in GROUPS {
        let value = u32::from(sum[high]) << 16 | u32::from(sum[middle]) << 8 | u32::from(sum[low]);
        push_letters(&mut text, value, 4);
    }
    push_letters(&mut text, u32::from(sum[11]), 2);
    text
}

/// Six bits a letter, lowest first, in the alphabet of `crypt`.
fn push_letters(text: &mut String, mut value: u32, count: usize) {
    const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..count {
        text.push(char::from(LETTERS[(value & 0x3f) as usize]));
        value >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `htpasswd` (Apache 2.4) for these passwords; which of them a Squid 5.7 takes was tried.
    const PASSWORDS: &str = "# users\nalice:$apr1$LXoxVdic$7zYWeuKL.lmfUw/RF1nnq.\n\
        carol:$2y$05$Z06.tXehsjteh7j8XWrCAO2MyQlIlSwMbrBEUbklnqoUeSdnYcMAa\n\
        dave:{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=\neve:pw\nbob:3h.CdSk4Ap2ts\nslow:$2y$31$Z06.tXehsjteh7j8XWrCAO\n";

    fn judge(user: &str, password: &str) -> Result<Credentials, String> {
        let header = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        Credentials::judge(Some(&header), PASSWORDS)
    }

    #[test]
    fn a_password_counts_if_a_real_squid_takes_it() {
        for (user, password, good) in [
            ("alice", "secret", true),
            ("alice", "Secret", false),
            ("alice", "", false),
            ("carol", "pw", true),
            ("carol", "pw2", false),
            ("dave", "pw", false),
            ("eve", "pw", false),
            ("nobody", "pw", false),
        ] {
            let user = user.to_owned();
            let wanted =
                if good { Credentials::Good { user: user.clone() } } else { Credentials::Bad { user: user.clone() } };
            assert_eq!(judge(&user, password), Ok(wanted), "{user}:{password}");
        }
    }

    #[test]
    fn a_hash_that_cannot_be_checked_is_told() {
        assert_eq!(judge("bob", "hunter2").unwrap_err(), "a password hash that is neither $apr1$ nor bcrypt");
        assert_eq!(judge("slow", "x").unwrap_err(), "a bcrypt hash of cost 31");
    }

    #[test]
    fn a_header_that_cannot_be_read_names_nobody() {
        for header in ["Basic !!!", "Digest x", "Basic", "Basic Og==", "Basic YWxpY2U="] {
            assert_eq!(Credentials::judge(Some(header), PASSWORDS), Ok(Credentials::None), "{header}");
        }
        assert_eq!(Credentials::judge(None, PASSWORDS), Ok(Credentials::None));
    }
}
