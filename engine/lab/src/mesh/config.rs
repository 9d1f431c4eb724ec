//! The mesh-wide configuration: key `mesh` of the ConfigMap `istio`.
//!
//! Invariant: a setting is either understood, known not to matter for outbound connections, or named as a limit that makes
//! every verdict "not simulated".

use super::log::LogFormat;
use super::objects::{fields, list, text, texts, unknown};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happens to traffic for which the mesh has no entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutboundPolicy {
    /// It passes to where the application dialled.
    #[default]
    AllowAny,
    /// It is blocked.
    RegistryOnly,
}

/// Who keeps an access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LogProvider {
    /// Lines on the proxy's standard output.
    File(LogFormat),
    /// Something else, in words.
    NotSimulated(String),
}

/// The provider that is there without being declared.
const BUILT_IN: &str = "envoy";

/// What `extensionProviders` may declare that keeps no access log.
const NO_LOGS: &[&str] = &[
    "datadog",
    "envoyExtAuthzGrpc",
    "envoyExtAuthzHttp",
    "lightstep",
    "opencensus",
    "opentelemetry",
    "prometheus",
    "sds",
    "skywalking",
    "stackdriver",
    "zipkin",
];

/// The settings that decide about outbound connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshConfig {
    /// `outboundTrafficPolicy.mode`. Default: `ALLOW_ANY`.
    pub policy: OutboundPolicy,
    /// Whether sidecars write an access log (`accessLogFile`). Default: no.
    pub access_log: bool,
    /// The providers of access logs that hold where no Telemetry resource names others
    /// (`defaultProviders.accessLogging`).
    pub default_log_providers: Vec<String>,
    /// The providers of `extensionProviders` by their names in small letters, as far as they keep access logs.
    log_providers: BTreeMap<String, LogProvider>,
    /// How a line of the access log is written (`accessLogEncoding` and `accessLogFormat`). Default: Istio's line of text.
    pub log_format: LogFormat,
    /// How long a sidecar waits for an upstream connection (`connectTimeout`). Default: 10 s.
    pub connect_timeout: Duration,
    /// Whether pods of the mesh speak mutual TLS with each other where nothing else is said (`enableAutoMtls`). Default: yes.
    pub auto_mtls: bool,
    /// Whether every request is sampled for tracing, which shows in its id. Default: no.
    pub sampled: bool,
    /// Settings that the lab does not simulate, each with its path; any of them makes every verdict "not simulated".
    pub limits: Vec<String>,
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self {
            policy: OutboundPolicy::AllowAny,
            access_log: false,
            default_log_providers: Vec::new(),
            log_providers: BTreeMap::new(),
            log_format: LogFormat::default(),
            connect_timeout: Duration::from_secs(10),
            auto_mtls: true,
            sampled: false,
            limits: Vec::new(),
        }
    }
}

/// Settings that change nothing about where an outbound connection goes, how it ends, or what is logged about it.
const HARMLESS: &[&str] = &[
    "ca",
    "caCertificates",
    "certificates",
    "configSources",
    "connectTimeout",
    "dnsRefreshRate",
    "enablePrometheusMerge",
    "enableTracing",
    "inboundClusterStatName",
    "inboundTrafficPolicy",
    "ingressClass",
    "ingressControllerMode",
    "ingressSelector",
    "ingressService",
    "localityLbSetting",
    "meshMTLS",
    "outboundClusterStatName",
    "proxyHttpPort",
    "proxyInboundListenPort",
    "proxyListenPort",
    "rootNamespace",
    "tcpKeepalive",
    "tlsDefaults",
    "trustDomain",
    "trustDomainAliases",
    "verifyCertificateAtClient",
];

impl MeshConfig {
    /// Reads the ConfigMap `istio`; without one, the defaults hold.
    #[must_use]
    pub fn from_config_map(config_map: Option<&Value>) -> Self {
        let mut config = Self::default();
        let Some(text) = config_map.and_then(|map| map.pointer("/data/mesh")).and_then(Value::as_str) else {
            return config;
        };
        let mesh = match serde_yaml::from_str::<Option<Value>>(text) {
            Ok(mesh) => mesh.unwrap_or_default(),
            Err(error) => {
                config.limits.push(format!("mesh configuration that is no YAML ({error})"));
                return config;
            }
        };
        let Some(settings) = mesh.as_object() else {
            if !mesh.is_null() {
                config.limits.push("mesh configuration that is no mapping".to_owned());
            }
            return config;
        };
        for (key, value) in settings {
            config.read(key, value);
        }
        config.read_format(&mesh);
        config
    }

    fn read_format(&mut self, mesh: &Value) {
        let text = |key: &str| mesh.get(key).and_then(Value::as_str).unwrap_or_default();
        let format = match (text("accessLogEncoding"), text("accessLogFormat")) {
            ("" | "TEXT", "") => Ok(LogFormat::default()),
            ("" | "TEXT", format) => LogFormat::text(format),
            ("JSON", "") => Ok(LogFormat::default_json()),
            ("JSON", format) => LogFormat::json(format),
            (other, _) => Err(format!("encoding {other}")),
        };
        match format {
            Ok(format) => self.log_format = format,
            Err(what) => self.limits.push(format!("mesh setting accessLogFormat: {what}")),
        }
    }

    fn read(&mut self, key: &str, value: &Value) {
        if value.is_null() {
            return;
        }
        match key {
            "outboundTrafficPolicy" => self.read_policy(value),
            "accessLogFile" => match value.as_str() {
                Some("") => self.access_log = false,
                Some("/dev/stdout") => self.access_log = true,
                _ => self.limit(key, value),
            },
            // Read together, once all settings are known.
            "accessLogEncoding" | "accessLogFormat" => {}
            "connectTimeout" => match value.as_str().and_then(go_duration) {
                Some(timeout) => self.connect_timeout = timeout,
                None => self.limit(key, value),
            },
            "defaultConfig" => self.read_proxy(value),
            "defaultProviders" => self.default_log_providers = texts(value, "/accessLogging"),
            "extensionProviders" => {
                for provider in list(value, "") {
                    self.read_provider(provider);
                }
            }
            "h2UpgradePolicy" if value.as_str() == Some("DO_NOT_UPGRADE") => {}
            "protocolDetectionTimeout" if value.as_str().and_then(go_duration) == Some(Duration::ZERO) => {}
            "disableEnvoyListenerLog" | "enableEnvoyAccessLogService" if value == &Value::Bool(false) => {}
            "enableAutoMtls" => self.auto_mtls = value != &Value::Bool(false),
            "defaultServiceExportTo" | "defaultVirtualServiceExportTo" | "defaultDestinationRuleExportTo"
                if value == &serde_json::json!(["*"]) => {}
            _ if HARMLESS.contains(&key) => {}
            _ => self.limit(key, value),
        }
    }

    fn read_policy(&mut self, value: &Value) {
        for (key, value) in value.as_object().into_iter().flatten() {
            match (key.as_str(), value.as_str()) {
                ("mode", Some("ALLOW_ANY")) => self.policy = OutboundPolicy::AllowAny,
                ("mode", Some("REGISTRY_ONLY")) => self.policy = OutboundPolicy::RegistryOnly,
                _ => self.limit(&format!("outboundTrafficPolicy.{key}"), value),
            }
        }
        if !value.is_object() {
            self.limit("outboundTrafficPolicy", value);
        }
    }

    fn read_provider(&mut self, provider: &Value) {
        let name = text(provider, "/name").to_ascii_lowercase();
        for (kind, value) in fields(provider, "").filter(|(key, _)| *key != "name" && !NO_LOGS.contains(key)) {
            if name == BUILT_IN && kind == "envoyFileAccessLog" && value.get("logFormat").is_none_or(Value::is_null) {
                // It goes on writing as the mesh's settings say.
                continue;
            }
            let read = if kind == "envoyFileAccessLog" { log_file(value) } else { Err(kind.to_owned()) };
            let read = read.map_or_else(LogProvider::NotSimulated, LogProvider::File);
            self.log_providers.insert(name.clone(), read);
        }
    }

    /// The provider of access logs with this name. The built-in one writes as the mesh's settings say, unless it is declared anew.
    pub(super) fn log_provider(&self, name: &str) -> Option<LogProvider> {
        let name = name.to_ascii_lowercase();
        let built_in = || (name == BUILT_IN).then(|| LogProvider::File(self.log_format.clone()));
        self.log_providers.get(&name).cloned().or_else(built_in)
    }

    /// Settings of each proxy that reach outbound connections.
    fn read_proxy(&mut self, value: &Value) {
        if let Some(sampling) = value.pointer("/tracing/sampling") {
            self.sampled = sampling.as_f64() == Some(100.0);
        }
        for (key, value) in value.get("proxyMetadata").and_then(Value::as_object).into_iter().flatten() {
            let off = matches!(value.as_str(), Some("" | "false"));
            if key.starts_with("ISTIO_META_DNS") && !off {
                self.limit(&format!("defaultConfig.proxyMetadata.{key}"), value);
            }
        }
        if let Some(value) = value.get("interceptionMode").filter(|mode| mode.as_str() != Some("REDIRECT")) {
            self.limit("defaultConfig.interceptionMode", value);
        }
    }

    fn limit(&mut self, key: &str, value: &Value) {
        self.limits.push(format!("mesh setting {key}: {value}"));
    }
}

/// The format of `envoyFileAccessLog`, or what of it is not simulated.
fn log_file(value: &Value) -> Result<LogFormat, String> {
    if let Some(field) = unknown(value, "", &["path", "logFormat", "omitEmptyValues"]).pop() {
        return Err(field);
    }
    if !matches!(text(value, "/path"), "" | "/dev/stdout") {
        return Err("a log in a file".to_owned());
    }
    if value.get("omitEmptyValues") == Some(&Value::Bool(true)) {
        return Err("omitEmptyValues".to_owned());
    }
    match (text(value, "/logFormat/text"), value.pointer("/logFormat/labels")) {
        ("", Some(labels)) if fields(labels, "").next().is_none() => Ok(LogFormat::default_json()),
        ("", Some(labels)) => LogFormat::json(&labels.to_string()),
        ("", None) => Ok(LogFormat::default()),
        (text, _) => LogFormat::text(text),
    }
}

/// A duration as Go's JSON writes it: `10s`, `1.5s`, `250ms`, `2m`.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit).ok()
}
