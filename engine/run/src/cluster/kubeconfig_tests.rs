//! Contexts, users, certificates and proxies from kubeconfig text.

use super::*;

const CONFIG: &str = "
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {name: dev, context: {cluster: dev, user: jane}}
- {name: prod, context: {cluster: prod, user: nobody}}
- {name: lost, context: {cluster: gone, user: jane}}
- {name: odd, context: {cluster: odd, user: jane}}
clusters:
- {name: dev, cluster: {server: 'https://dev.example:6443'}}
- {name: prod, cluster: {server: 'https://prod.example', proxy-url: 'http://gate:3128', tls-server-name: api, insecure-skip-tls-verify: true}}
- {name: odd, cluster: {server: not-a-url}}
users:
- {name: jane, user: {token: secret}}
";

fn chosen(choice: &ContextChoice, env: &ProxyEnv) -> Result<Chosen, String> {
    let kubeconfig = Kubeconfig::from_yaml(CONFIG).unwrap();
    from_kubeconfig(&kubeconfig, choice, env).map_err(|error| error.to_string())
}

fn named(name: &str) -> ContextChoice {
    ContextChoice::parse(name)
}

fn refusal(name: &str) -> String {
    chosen(&named(name), &ProxyEnv::default()).unwrap_err()
}

#[test]
fn the_context_is_the_named_or_the_current_one() {
    let current = chosen(&named("@current"), &ProxyEnv::default()).unwrap();
    assert_eq!((current.context.as_str(), current.config.cluster_url.host()), ("dev", Some("dev.example")));
    assert!(current.config.auth_info.token.is_some());
    let prod = chosen(&named("prod"), &ProxyEnv::default()).unwrap();
    assert_eq!(prod.config.tls_server_name.as_deref(), Some("api"));
    assert!(prod.config.accept_invalid_certs);
    assert!(prod.config.auth_info.token.is_none(), "an unknown user has no credentials");
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(refusal("nope"), "the kubeconfig has no context \"nope\"; it has dev, prod, lost, odd");
    assert_eq!(refusal("lost"), "context \"lost\" names cluster \"gone\", which the kubeconfig lacks");
    assert_eq!(refusal("odd"), "cluster \"odd\" has no usable server URL: \"not-a-url\"");
    let empty = from_kubeconfig(&Kubeconfig::default(), &ContextChoice::Current, &ProxyEnv::default());
    assert_eq!(empty.unwrap_err().to_string(), "the kubeconfig has no current context; it has no contexts at all");
}

#[test]
fn the_kubeconfigs_proxy_wins_and_the_environments_is_spared_by_no_proxy() {
    let env = |no_proxy: &str| ProxyEnv {
        https: "http://corporate:8080".into(),
        http: String::new(),
        no_proxy: no_proxy.into(),
    };
    let proxy = |context: &str, no_proxy: &str| {
        chosen(&named(context), &env(no_proxy)).unwrap().proxy.map(|proxy| proxy.to_string())
    };
    assert_eq!(proxy("dev", "").as_deref(), Some("http://corporate:8080/"));
    assert_eq!(proxy("dev", "a,,.example"), None);
    assert_eq!(proxy("prod", "*").as_deref(), Some("http://gate:3128/"));
}

#[test]
fn certificate_authorities_come_as_data_or_file() {
    let entry = |yaml: &str| -> ClusterEntry { serde_yaml::from_str(yaml).unwrap() };
    let failure = |yaml: &str| authorities(&entry(yaml)).unwrap_err().to_string();
    assert_eq!(authorities(&entry("server: x")).unwrap(), None);
    let begins = "certificate authority of the cluster: ";
    assert_eq!(failure("certificate-authority-data: aGVsbG8="), format!("{begins}no PEM certificate in it"));
    assert!(failure("certificate-authority-data: '***'").starts_with(begins));
    assert!(failure("certificate-authority: /no/such/file").contains("/no/such/file"));
    let pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
    let data = base64::engine::general_purpose::STANDARD.encode(pem);
    let parsed = authorities(&entry(&format!("certificate-authority-data: {data}"))).unwrap();
    assert_eq!(parsed, Some(vec![vec![0, 1, 2]]));
}
