//! Images that the lab knows: which programs they hold, whose words they speak, how they start.
//!
//! Invariant: an image the lab does not know is not simulated; nothing is guessed from its name.

mod applets;
mod install;
mod known;
mod reference;
#[cfg(test)]
mod tests;

pub(crate) use known::NGINX_CONF;
use known::{Base, Known};
pub use reference::Reference;
use std::fmt;
use std::sync::Arc;

/// An image that is not in the lab's table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not simulated: image {0}")]
pub struct UnknownImage(pub String);

/// Whose shell and tools an image carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// BusyBox (Alpine and `busybox` itself): `ash`.
    BusyBox,
    /// GNU tools (Debian, Ubuntu): `dash`.
    Gnu,
}

/// What an image is, as far as the lab tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `busybox`
    BusyBox,
    /// `alpine`
    Alpine,
    /// `curlimages/curl`: Alpine with curl as its command.
    Curl,
    /// `governmentpaas/curl-ssl`: Alpine with curl and a shell.
    CurlSsl,
    /// `debian`, `ubuntu`
    Debian,
    /// `nicolaka/netshoot`: Alpine with many network tools.
    Netshoot,
    /// squid on Ubuntu.
    Squid,
    /// `istio/proxyv2`
    Proxy,
    /// One of the table of public images.
    Known(&'static Known),
}

/// An image; clones are the same image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    reference: Arc<Reference>,
    family: Family,
}

/// The recorded curl that images without a version in their tag are taken to carry.
const DEFAULT_CURL: &str = "8.14.1";
/// The search path that container runtimes give a process.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Image {
    /// The image behind a reference such as `docker.io/curlimages/curl:8.16.0`.
    ///
    /// # Errors
    /// [`UnknownImage`] when the lab does not know the image, or the reference is malformed.
    pub fn lookup(reference: &str) -> Result<Self, UnknownImage> {
        let unknown = || UnknownImage(reference.to_owned());
        let reference = Reference::parse(reference).ok_or_else(unknown)?;
        let family = match (reference.registry(), reference.repository()) {
            ("docker.io", "library/busybox") => Family::BusyBox,
            ("docker.io", "library/alpine") => Family::Alpine,
            ("docker.io", "curlimages/curl") | ("quay.io", "curl/curl") => Family::Curl,
            ("docker.io", "governmentpaas/curl-ssl") => Family::CurlSsl,
            ("docker.io", "library/debian" | "library/ubuntu") => Family::Debian,
            ("docker.io", "nicolaka/netshoot") => Family::Netshoot,
            ("docker.io", "sameersbn/squid" | "ubuntu/squid" | "b4tman/squid") => Family::Squid,
            ("docker.io", "istio/proxyv2") | ("gcr.io", "istio-release/proxyv2") => Family::Proxy,
            (registry, repository) => Family::Known(Known::find(registry, repository).ok_or_else(unknown)?),
        };
        Ok(Self { reference: Arc::new(reference), family })
    }

    /// The reference's parts.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Whose tools it carries.
    #[must_use]
    pub fn flavour(&self) -> Flavour {
        match self.family {
            Family::BusyBox | Family::Alpine | Family::Curl | Family::CurlSsl | Family::Netshoot => Flavour::BusyBox,
            Family::Debian | Family::Proxy => Flavour::Gnu,
            // b4tman/squid is built on Alpine, the other two on Ubuntu.
            Family::Squid if self.reference.repository() == "b4tman/squid" => Flavour::BusyBox,
            Family::Squid => Flavour::Gnu,
            Family::Known(known) if known.base(self.reference.tag()) == Base::Alpine => Flavour::BusyBox,
            Family::Known(_) => Flavour::Gnu,
        }
    }

    /// Whether its tools are BusyBox's.
    #[must_use]
    pub fn is_busybox(&self) -> bool {
        self.flavour() == Flavour::BusyBox
    }

    /// The command that starts it when the pod gives none.
    #[must_use]
    pub fn entrypoint(&self) -> Vec<String> {
        let entrypoint: &[&str] = match self.family {
            Family::Curl => &["/entrypoint.sh"],
            Family::Squid => &["/usr/sbin/squid"],
            Family::Proxy => &["/usr/local/bin/pilot-agent"],
            Family::Known(known) => known.entrypoint,
            _ => &[],
        };
        entrypoint.iter().map(|&word| word.to_owned()).collect()
    }

    /// The arguments that follow the entrypoint when the pod gives none.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let command: &[&str] = match self.family {
            Family::BusyBox => &["sh"],
            Family::Alpine | Family::CurlSsl => &["/bin/sh"],
            Family::Curl => &["curl"],
            Family::Debian => &["bash"],
            Family::Netshoot => &["zsh"],
            Family::Squid => &["-N"],
            Family::Proxy => &[],
            Family::Known(known) => known.command,
        };
        command.iter().map(|&word| word.to_owned()).collect()
    }

    /// User and group it runs as when the pod says nothing.
    #[must_use]
    pub fn user(&self) -> (u32, u32) {
        match self.family {
            Family::Curl => (100, 101),
            Family::Proxy => (1337, 1337),
            _ => (0, 0),
        }
    }

    /// The home directory of a user, `/` for one the image does not know.
    #[must_use]
    pub fn home(&self, uid: u32) -> &'static str {
        match (self.family, uid) {
            (Family::Curl, 100) => "/home/curl_user",
            (_, 0) => "/root",
            _ => "/",
        }
    }

    /// Where it starts.
    #[must_use]
    pub fn working_dir(&self) -> &'static str {
        match self.family {
            Family::Curl => "/home/curl_user",
            Family::Netshoot => "/root",
            Family::Known(known) => known.working_dir,
            _ => "/",
        }
    }

    /// The version of what a public image runs: its tag's, if that starts with one, else the newest that is known.
    #[must_use]
    pub fn version(&self) -> &str {
        let Family::Known(known) = self.family else { return "" };
        let tag = self.reference.tag().map(|tag| tag.split('-').next().unwrap_or_default());
        tag.filter(|tag| is_version(tag)).unwrap_or(known.version)
    }

    /// The variables that the image and the container runtime give.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let mut env = vec![("PATH".to_owned(), PATH.to_owned())];
        if self.family == Family::Curl {
            env.push(("CURL_CA_BUNDLE".to_owned(), "/cacert.pem".to_owned()));
        }
        env
    }

    /// The version of curl in it.
    #[must_use]
    pub fn curl_version(&self) -> &str {
        match self.family {
            Family::Curl => self.reference.tag().filter(|tag| is_version(tag)).unwrap_or(DEFAULT_CURL),
            Family::CurlSsl => "7.88.1",
            _ => DEFAULT_CURL,
        }
    }

    /// The squid in it, from the tag: 3.5.27 as the tutorial pins it, or the 5.7 that was recorded. `None` for no squid.
    #[must_use]
    pub fn squid_version(&self) -> Option<&'static str> {
        match (self.family, self.reference.tag()) {
            (Family::Squid, Some(tag)) if tag.starts_with("3.") => Some("3.5.27"),
            (Family::Squid, _) => Some("5.7"),
            _ => None,
        }
    }

    /// Whether a command that is not among its files is known to be missing, rather than merely not listed by the lab.
    #[must_use]
    pub fn knows_absence_of(&self, name: &str) -> bool {
        match self.family {
            Family::Known(known) if known.base(self.reference.tag()) == Base::Scratch => true,
            Family::Netshoot | Family::Squid | Family::Proxy | Family::Known(_) => applets::is_no_program(name),
            _ => true,
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.reference, f)
    }
}

fn is_version(tag: &str) -> bool {
    let parts: Vec<&str> = tag.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
