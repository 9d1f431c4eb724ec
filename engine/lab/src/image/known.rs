//! Public images that tutorials and everyday commands use, beyond those with tools of their own in the lab.
//!
//! Invariant: what starts them is what their Dockerfiles say; a program that the lab lacks ends as not simulated.

/// What an image is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Debian,
    Alpine,
    /// No shell and no tools.
    Scratch,
}

/// A public image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    registry: &'static str,
    repository: &'static str,
    base: Base,
    pub(super) entrypoint: &'static [&'static str],
    pub(super) command: &'static [&'static str],
    pub(super) working_dir: &'static str,
    /// Executables that it adds, with the programs that they stand for.
    pub(super) programs: &'static [(&'static str, &'static str)],
    /// The version that the tag `latest`, or none, stands for.
    pub(super) version: &'static str,
}

const PLAIN: Known = Known {
    registry: "docker.io",
    repository: "",
    base: Base::Debian,
    entrypoint: &[],
    command: &[],
    working_dir: "/",
    programs: &[],
    version: "",
};

const IMAGES: &[Known] = &[
    Known {
        repository: "library/nginx",
        entrypoint: &["/docker-entrypoint.sh"],
        command: &["nginx", "-g", "daemon off;"],
        programs: &[("/usr/sbin/nginx", "nginx"), ("/usr/bin/curl", "curl")],
        version: "1.29.1",
        ..PLAIN
    },
    Known {
        repository: "library/httpd",
        command: &["httpd-foreground"],
        working_dir: "/usr/local/apache2",
        programs: &[("/usr/local/bin/httpd-foreground", "httpd-foreground"), ("/usr/local/apache2/bin/httpd", "httpd")],
        version: "2.4.65",
        ..PLAIN
    },
    Known {
        repository: "library/redis",
        command: &["redis-server"],
        working_dir: "/data",
        programs: &[("/usr/local/bin/redis-server", "redis-server"), ("/usr/local/bin/redis-cli", "redis-cli")],
        ..PLAIN
    },
    Known { repository: "library/perl", command: &["perl"], programs: &[("/usr/local/bin/perl", "perl")], ..PLAIN },
    Known {
        repository: "library/python",
        command: &["python3"],
        programs: &[("/usr/local/bin/python3", "python3"), ("/usr/local/bin/python", "python3")],
        ..PLAIN
    },
    Known { repository: "library/node", command: &["node"], programs: &[("/usr/local/bin/node", "node")], ..PLAIN },
    Known {
        repository: "library/hello-world",
        base: Base::Scratch,
        command: &["/hello"],
        programs: &[("/hello", "hello")],
        ..PLAIN
    },
    Known {
        registry: "registry.k8s.io",
        repository: "pause",
        base: Base::Scratch,
        entrypoint: &["/pause"],
        programs: &[("/pause", "pause")],
        ..PLAIN
    },
    Known {
        repository: "hashicorp/http-echo",
        base: Base::Scratch,
        entrypoint: &["/http-echo"],
        programs: &[("/http-echo", "http-echo")],
        version: "1.0.0",
        ..PLAIN
    },
    Known {
        registry: "registry.k8s.io",
        repository: "e2e-test-images/agnhost",
        base: Base::Alpine,
        entrypoint: &["/agnhost"],
        command: &["pause"],
        programs: &[("/agnhost", "agnhost"), ("/usr/bin/curl", "curl")],
        ..PLAIN
    },
    Known {
        registry: "gcr.io",
        repository: "google-samples/hello-app",
        base: Base::Scratch,
        command: &["/hello-app"],
        programs: &[("/hello-app", "hello-app")],
        ..PLAIN
    },
    Known {
        registry: "gcr.io",
        repository: "google-samples/kubernetes-bootcamp",
        command: &["/bin/sh", "-c", "node server.js"],
        programs: &[("/usr/bin/node", "bootcamp"), ("/usr/bin/curl", "curl")],
        ..PLAIN
    },
    Known {
        repository: "istio/examples-helloworld-v1",
        command: &["/bin/sh", "-c", "helloworld"],
        programs: &[("/usr/local/bin/helloworld", "helloworld")],
        version: "v1",
        ..PLAIN
    },
    Known {
        repository: "istio/examples-helloworld-v2",
        command: &["/bin/sh", "-c", "helloworld"],
        programs: &[("/usr/local/bin/helloworld", "helloworld")],
        version: "v2",
        ..PLAIN
    },
];

impl Known {
    pub(super) fn find(registry: &str, repository: &str) -> Option<&'static Self> {
        // The old name of the registry still leads to the new one.
        let registry = if registry == "k8s.gcr.io" { "registry.k8s.io" } else { registry };
        IMAGES.iter().find(|known| known.registry == registry && known.repository == repository)
    }

    /// What it is built on; many images say so in the tag.
    pub(super) fn base(&self, tag: Option<&str>) -> Base {
        let alpine = tag.is_some_and(|tag| tag.contains("alpine"));
        if alpine && self.base == Base::Debian { Base::Alpine } else { self.base }
    }
}

/// `nginx`'s entrypoint, as far as one sees it work.
pub(super) const NGINX_ENTRYPOINT: &str = r#"#!/bin/sh
set -e
if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
  echo "$0: /docker-entrypoint.d/ is not empty, will attempt to perform configuration"
  echo "$0: Looking for shell scripts in /docker-entrypoint.d/"
  echo "$0: Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh"
  echo "10-listen-on-ipv6-by-default.sh: info: Getting the checksum of /etc/nginx/conf.d/default.conf"
  echo "10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf"
  echo "$0: Sourcing /docker-entrypoint.d/15-local-resolvers.envsh"
  echo "$0: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh"
  echo "$0: Launching /docker-entrypoint.d/30-tune-worker-processes.sh"
  echo "$0: Configuration complete; ready for start up"
fi
exec "$@"
"#;

/// The configuration that nginx starts with. The lab reads no other.
pub(crate) const NGINX_CONF: &str = "server {
    listen       80;
    listen  [::]:80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
";

/// nginx's page.
pub(super) const NGINX_PAGE: &str = r#"<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"#;

/// Apache's page.
pub(super) const HTTPD_PAGE: &str = "<html><body><h1>It works!</h1></body></html>\n";
