//! The files of an image, laid down in an empty file system.
//!
//! Invariant: commands are files like others, so `PATH`, `ls` and `test -x` see what they would see in life.

use super::applets::{self, NETSHOOT, PROXY, SQUID};
use super::known::{self, Base};
use super::{Family, Image};
use crate::fs::{Device, Fs, FsError};

/// `curlimages/curl` starts curl when the first argument is an option or no command.
const CURL_ENTRYPOINT: &str = "#!/usr/bin/env sh\nset -e\n\
    if [ \"${1#-}\" != \"$1\" ] || ! command -v \"$1\" >/dev/null; then\n  set -- curl \"$@\"\nfi\nexec \"$@\"\n";

impl Image {
    /// Lays the image's directories, devices and commands down in an empty file system.
    ///
    /// # Errors
    /// When they do not fit, which is a fault of the table.
    pub(crate) fn install(&self, fs: &Fs) -> Result<(), FsError> {
        for dir in
            ["/dev", "/etc", "/home", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/usr/local/bin", "/var/log"]
        {
            fs.create_dir_all(dir)?;
        }
        fs.set_mode("/root", 0o700)?;
        for dir in ["/tmp", "/var/tmp"] {
            fs.create_dir_all(dir)?;
            fs.set_mode(dir, 0o1777)?;
        }
        fs.add_device("/dev/null", Device::Null)?;
        fs.add_device("/dev/zero", Device::Zero)?;
        for (name, number) in [("stdin", 0), ("stdout", 1), ("stderr", 2)] {
            fs.add_device(&format!("/dev/{name}"), Device::Descriptor(number))?;
        }
        if !matches!(self.family, Family::Known(known) if known.base(self.reference.tag()) == Base::Scratch) {
            if self.is_busybox() {
                self.install_busybox(fs)?;
            } else {
                self.install_debian(fs)?;
            }
        }
        self.install_own(fs)?;
        let (passwd, group) = self.accounts();
        fs.write("/etc/passwd", passwd.as_bytes())?;
        fs.write("/etc/group", group.as_bytes())
    }

    fn install_busybox(&self, fs: &Fs) -> Result<(), FsError> {
        for dir in ["/bin", "/sbin", "/usr/bin", "/usr/sbin"] {
            fs.create_dir_all(dir)?;
        }
        fs.add_program("/bin/busybox", "busybox")?;
        let everything_in_bin = self.family == Family::BusyBox;
        let groups =
            [("/bin", applets::BUSYBOX_BIN), ("/sbin", applets::BUSYBOX_SBIN), ("/usr/bin", applets::BUSYBOX_USR)];
        for (dir, names) in groups {
            let dir = if everything_in_bin { "/bin" } else { dir };
            for name in names.split_whitespace() {
                fs.symlink("/bin/busybox", &format!("{dir}/{name}"))?;
            }
        }
        if everything_in_bin {
            return fs.add_program("/bin/getconf", "getconf");
        }
        fs.symlink("/bin/busybox", "/usr/sbin/nologin")?;
        programs(fs, "/usr/bin", applets::ALPINE)
    }

    fn install_debian(&self, fs: &Fs) -> Result<(), FsError> {
        for dir in ["bin", "sbin"] {
            fs.create_dir_all(&format!("/usr/{dir}"))?;
            fs.symlink(&format!("usr/{dir}"), &format!("/{dir}"))?;
        }
        for name in applets::DEBIAN.split_whitespace() {
            match name {
                "sh" => fs.symlink("dash", "/usr/bin/sh")?,
                _ => fs.add_program(&format!("/usr/bin/{name}"), name)?,
            }
        }
        programs(fs, "/usr/sbin", applets::DEBIAN_SBIN)
    }

    fn install_own(&self, fs: &Fs) -> Result<(), FsError> {
        match self.family {
            Family::BusyBox | Family::Alpine | Family::Debian => Ok(()),
            Family::Curl => {
                fs.create_dir_all("/home/curl_user")?;
                fs.set_owner("/home/curl_user", 100, 101)?;
                fs.write("/entrypoint.sh", CURL_ENTRYPOINT.as_bytes())?;
                fs.set_mode("/entrypoint.sh", 0o755)?;
                fs.add_program("/usr/bin/curl", "curl")
            }
            Family::CurlSsl => fs.add_program("/usr/bin/curl", "curl"),
            Family::Netshoot => programs(fs, "/usr/local/bin", NETSHOOT),
            Family::Proxy => {
                fs.create_dir_all("/etc/istio/proxy")?;
                programs(fs, "/usr/local/bin", PROXY)
            }
            Family::Squid => {
                fs.create_dir_all("/etc/squid")?;
                fs.create_dir_all("/var/log/squid")?;
                fs.create_dir_all("/var/spool/squid")?;
                // The proxy user owns them; nobody but root and it may write.
                fs.set_owner("/var/log/squid", 13, 13)?;
                fs.set_owner("/var/spool/squid", 13, 13)?;
                programs(fs, "/usr/sbin", SQUID)
            }
            Family::Known(known) => {
                fs.create_dir_all(known.working_dir)?;
                for (path, program) in known.programs {
                    fs.create_dir_all(crate::fs::parent(path))?;
                    // Such as perl, which Debian has already.
                    match fs.add_program(path, program) {
                        Ok(()) | Err(FsError::AlreadyExists) => {}
                        Err(error) => return Err(error),
                    }
                    self.install_content(fs, program)?;
                }
                Ok(())
            }
        }
    }

    /// The files that a server finds in its image.
    fn install_content(&self, fs: &Fs, program: &str) -> Result<(), FsError> {
        match program {
            "nginx" => {
                for dir in ["/etc/nginx/conf.d", "/usr/share/nginx/html", "/var/log/nginx", "/docker-entrypoint.d"] {
                    fs.create_dir_all(dir)?;
                }
                fs.symlink("/dev/stdout", "/var/log/nginx/access.log")?;
                fs.symlink("/dev/stderr", "/var/log/nginx/error.log")?;
                fs.write("/docker-entrypoint.sh", known::NGINX_ENTRYPOINT.as_bytes())?;
                fs.set_mode("/docker-entrypoint.sh", 0o755)?;
                fs.write("/etc/nginx/conf.d/default.conf", known::NGINX_CONF.as_bytes())?;
                fs.write("/usr/share/nginx/html/index.html", known::NGINX_PAGE.as_bytes())
            }
            "httpd" => {
                fs.create_dir_all("/usr/local/apache2/htdocs")?;
                fs.write("/usr/local/apache2/htdocs/index.html", known::HTTPD_PAGE.as_bytes())
            }
            _ => Ok(()),
        }
    }

    fn accounts(&self) -> (String, String) {
        let shell = if self.is_busybox() { "/bin/sh" } else { "/bin/bash" };
        let mut passwd = format!("root:x:0:0:root:/root:{shell}\n");
        let mut group = "root:x:0:\n".to_owned();
        if self.family == Family::Curl {
            passwd.push_str("curl_user:x:100:101:Linux User,,,:/home/curl_user:/sbin/nologin\n");
            group.push_str("curl_group:x:101:\n");
        }
        if self.family == Family::Proxy {
            passwd.push_str("istio-proxy:x:1337:1337::/:/usr/sbin/nologin\n");
            group.push_str("istio-proxy:x:1337:\n");
        }
        if self.family == Family::Squid {
            passwd.push_str("proxy:x:13:13:proxy:/bin:/usr/sbin/nologin\n");
            group.push_str("proxy:x:13:\n");
        }
        let nobody = if self.is_busybox() {
            "nobody:x:65534:65534:nobody:/:/sbin/nologin\n"
        } else {
            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        };
        passwd.push_str(nobody);
        group.push_str(if self.is_busybox() { "nobody:x:65534:\n" } else { "nogroup:x:65534:\n" });
        (passwd, group)
    }
}

fn programs(fs: &Fs, dir: &str, names: &str) -> Result<(), FsError> {
    for name in names.split_whitespace() {
        match fs.add_program(&format!("{dir}/{name}"), name) {
            // Some tools are in the base image already.
            Ok(()) | Err(FsError::AlreadyExists) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
