//! Opens a cluster: through a kubeconfig context over the network, or over any connector, such as the lab's.
//!
//! The client stack is our own, because five defaults of kube's break promises: Nagle's algorithm costs 40 ms per
//! exec, failed requests are repeated silently, time-outs are minutes, and proxies are chosen by rules that differ from
//! kubectl's. There is no retry layer here, and nothing of the environment is read but what kubeconfig and credentials
//! ask for.

use std::path::PathBuf;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use futures::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Config;
use kube::client::{Body, ConfigExt};
use tower::{BoxError, Service, ServiceBuilder};

use super::client::{Cluster, chain};
use super::error::ClusterError;
use super::kubeconfig::{Chosen, ContextChoice, choose};
use super::proxy::ProxyEnv;

/// Time for a connection, with the proxy's part and TLS.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for an ordinary request, from its start to the last byte of its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Which cluster.
    pub context: ContextChoice,
    /// A kubeconfig to use instead of `KUBECONFIG` and `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// What the environment says about proxies.
    pub proxies: ProxyEnv,
    /// How the client names itself in audit logs, such as `periplus/0.1.0`.
    pub user_agent: String,
    /// Time for a connection. [`CONNECT_TIMEOUT`] unless said otherwise.
    pub connect_timeout: Duration,
    /// Time for an ordinary request. [`REQUEST_TIMEOUT`] unless said otherwise.
    pub request_timeout: Duration,
}

impl ConnectOptions {
    /// Options with the default kubeconfig and time-outs, and without proxies.
    #[must_use]
    pub fn new(context: ContextChoice) -> Self {
        Self {
            context,
            kubeconfig: None,
            proxies: ProxyEnv::default(),
            user_agent: concat!("periplus/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
        }
    }
}

impl Cluster {
    /// Prepares the connection to a cluster. Nothing is sent to it yet; a credential plug-in of the kubeconfig runs.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Config`] where the kubeconfig, the context, a certificate or a credential cannot be used.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ClusterError> {
        let agent = user_agent(&options.user_agent)?;
        let (connect_timeout, request_timeout) = (options.connect_timeout, options.request_timeout);
        let Chosen { config, context, proxy } =
            choose(&options.context, options.kubeconfig.as_ref(), &options.proxies)?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        // A credential plug-in is a process that kube waits for by blocking the thread.
        let client = {
            let handle = tokio::runtime::Handle::current();
            let build = move || {
                let _entered = handle.enter();
                client(&config, proxy.as_ref(), connect_timeout)
            };
            tokio::task::spawn_blocking(build)
                .await
                .map_err(|error| ClusterError::Config(format!("the client could not be set up: {error}")))??
        };
        Ok(Self::new(client, server, Some(context), agent, request_timeout))
    }

    /// Reaches an API server over a connector of the caller's: no kubeconfig, no TLS, no proxy, no credentials.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Config`] where `user_agent` is no header value.
    pub fn over<C>(connector: C, base: &Uri, user_agent_text: &str) -> Result<Self, ClusterError>
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Response: Connection + Read + Write + Send + Unpin + 'static,
        C::Future: Send + Unpin + 'static,
        C::Error: Into<BoxError>,
    {
        let agent = user_agent(user_agent_text)?;
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        let service = ServiceBuilder::new().layer(Config::new(base.clone()).base_uri_layer()).service(http);
        let server = base.to_string().trim_end_matches('/').to_owned();
        Ok(Self::new(kube::Client::new(service, "default"), server, None, agent, REQUEST_TIMEOUT))
    }
}

fn user_agent(text: &str) -> Result<HeaderValue, ClusterError> {
    HeaderValue::from_str(text).map_err(|_| ClusterError::Config(format!("{text:?} is no user agent")))
}

/// Puts the stack together for the kind of proxy on the way.
fn client(config: &Config, proxy: Option<&Uri>, connect_timeout: Duration) -> Result<kube::Client, ClusterError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    let Some(proxy) = proxy else {
        return stack(config, tcp, connect_timeout);
    };
    match proxy.scheme_str() {
        Some("http") => stack(config, tunnel(proxy, tcp), connect_timeout),
        Some("https") => {
            // The proxy's certificate is checked against the system's authorities, not the cluster's.
            let to_proxy = Config::new(proxy.clone()).rustls_https_connector_with_connector(tcp).map_err(setup)?;
            stack(config, tunnel(proxy, to_proxy), connect_timeout)
        }
        Some("socks5" | "socks5h") => stack(config, SocksV5::new(proxy.clone(), tcp), connect_timeout),
        _ => Err(ClusterError::Config(format!("proxy {proxy}: only http, https and socks5 proxies are known"))),
    }
}

fn tunnel<C>(proxy: &Uri, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(proxy.clone(), connector);
    let user = proxy.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(user, _)| user);
    let header = user.and_then(|user| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(percent_decoded(user));
        HeaderValue::from_str(&format!("Basic {encoded}")).ok()
    });
    match header {
        Some(header) => tunnel.with_auth(header),
        None => tunnel,
    }
}

/// Text whose `%xx` are turned into bytes; anything else after a percent sign is left as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        match hex.and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) if byte == b'%' => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

fn setup(error: kube::Error) -> ClusterError {
    ClusterError::Config(match error {
        kube::Error::Auth(error) => format!("credentials: {}", chain(&error)),
        error => chain(&error),
    })
}

fn stack<C>(config: &Config, connector: C, connect_timeout: Duration) -> Result<kube::Client, ClusterError>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let tls = config.rustls_https_connector_with_connector(connector).map_err(setup)?;
    let connector = ConnectWithin { inner: tls, limit: connect_timeout };
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(setup)?)
        .layer(config.extra_headers_layer().map_err(setup)?)
        .map_err(BoxError::from)
        .service(http);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

/// A connector that gives up in time. TCP's own limit knows nothing of a proxy or a TLS peer that stays silent.
#[derive(Clone)]
struct ConnectWithin<C> {
    inner: C,
    limit: Duration,
}

impl<C> Service<Uri> for ConnectWithin<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<C::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let connecting = self.inner.call(target);
        let limit = self.limit;
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(format!("no connection within {} s", limit.as_secs_f64()).into()),
            }
        })
    }
}
