//! Parameters, source by source and type by type.

use serde_json::json;

use super::*;
use crate::load::{Files, load};
use crate::source::Source;

struct World;

impl Outside for World {
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "PROXY_IP" => Some("10.0.0.1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        if path == "ca.pem" { Ok("one\ntwo\n".to_owned()) } else { Err("no such file".to_owned()) }
    }
}

impl Files for World {
    fn read(&self, _: &str) -> Result<String, String> {
        Err("none".to_owned())
    }
}

fn params(lines: &str) -> IndexMap<String, Param> {
    let text = format!(
        "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {{name: x}}\nparams:\n{lines}\nsteps:\n\
         - {{id: a, get: {{kind: Node, name: x}}}}\n"
    );
    let loaded = load(&Source { name: String::new(), text }, &World);
    loaded.runbook.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)).params
}

fn set(values: &[(&str, &str)]) -> Given {
    let set = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Given { set, ..Given::default() }
}

fn named(origin: &str, values: Value) -> NamedValues {
    let Value::Object(values) = values else { panic!("a mapping") };
    NamedValues { origin: origin.to_owned(), values: values.into_iter().collect() }
}

fn messages(params: &IndexMap<String, Param>, given: &Given) -> Vec<(Code, String, String)> {
    let problems = bind(params, given, &World).expect_err("problems");
    problems.into_iter().map(|found| (found.code, found.message, found.help.unwrap_or_default())).collect()
}

#[test]
fn the_nearer_source_wins() {
    let params = params(
        "  PROXY_IP: {type: ip, env: PROXY_IP, default: 10.0.0.9}\n  EMPTY: {type: ip, env: EMPTY, default: 10.0.0.9}",
    );
    let file = Some(named("params.yaml", json!({"PROXY_IP": "10.0.0.2"})));
    let world = Some(named("world.yaml", json!({"PROXY_IP": "10.0.0.3"})));
    let value = |given: Given| {
        let bound = bind(&params, &given, &World).expect("bound");
        let param = bound.get("PROXY_IP").expect("a value");
        (param.value.clone(), param.source.to_string())
    };
    let expect = |value: &str, source: &str| (Value::from(value), source.to_owned());
    let all = Given {
        file: file.clone(),
        world: world.clone(),
        ..set(&[("PROXY_IP", "10.0.0.4"), ("PROXY_IP", "10.0.0.5")])
    };
    assert_eq!(value(all), expect("10.0.0.5", "--set"));
    assert_eq!(value(Given { file, world: world.clone(), ..Given::default() }), expect("10.0.0.2", "params.yaml"));
    assert_eq!(value(Given { world, ..Given::default() }), expect("10.0.0.3", "world.yaml"));
    assert_eq!(value(Given::default()), expect("10.0.0.1", "environment variable PROXY_IP"));
    let bare_world = Given { world: Some(named("world.yaml", json!({}))), ..Given::default() };
    assert_eq!(value(bare_world), expect("10.0.0.9", "default"), "a rehearsal does not look at the environment");
    let bound = bind(&params, &Given::default(), &World).expect("bound");
    assert_eq!(bound.get("EMPTY").expect("a value").source, ParamSource::Default);
}

#[test]
fn values_are_typed() {
    let params = params(
        "  PORT: {type: port}\n  HOSTS: {type: list, of: host}\n  MODE: {type: enum, values: [a, b]}\n  CA: {type: file}\n  \
         NS: {type: name, optional: true}\n  MORE: {type: list, optional: true}\n  RATIO: {type: number, default: 0.5}\n  \
         TOKEN: {type: string, secret: true}",
    );
    let mut given = set(&[("PORT", "3128"), ("HOSTS", "a.example, b.example"), ("MODE", "b"), ("CA", "ca.pem")]);
    given.file = Some(named("f", json!({"TOKEN": "x"})));
    let bound = bind(&params, &given, &World).expect("bound");
    let values: Vec<Value> = bound.iter().map(|(_, param)| param.value.clone()).collect();
    assert_eq!(json!(values), json!([3128, ["a.example", "b.example"], "b", "one\ntwo\n", "", [], 0.5, "x"]));
    let shown: Vec<String> = bound.shown().into_iter().map(|param| format!("{}={}", param.name, param.value)).collect();
    assert_eq!(shown[1], "HOSTS=a.example,b.example");
    assert_eq!(shown[7], "TOKEN=***");
    assert!(bound.scope().is_secret("TOKEN"));
    // The same as a file gives them, with numbers and lists of its own.
    given.set.clear();
    given.file = Some(named("f", json!({"PORT": 3128, "HOSTS": ["a"], "MODE": "a", "CA": "ca.pem", "TOKEN": "x"})));
    assert_eq!(bind(&params, &given, &World).expect("bound").get("PORT").expect("bound").value, json!(3128));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let params = params(
        "  PROXY_IP: {type: ip, env: PROXY_IP}\n  PORT: {type: port, description: Where it listens}\n  \
         MODE: {type: enum, values: [allow, deny], default: allow}\n  CODE: {type: string, pattern: '[a-z]{3}'}\n  \
         TOKEN: {type: int, secret: true}\n  CA: {type: file}",
    );
    let given = set(&[
        ("PROXY_IP", "999.1.1.1"),
        ("PROXI_IP", "1.1.1.1"),
        ("MODE", "alow"),
        ("CODE", "abcd"),
        ("TOKEN", "hunter2"),
        ("CA", "nope.pem"),
    ]);
    let found = messages(&params, &given);
    let expected = [
        (Code::UnknownParameter, "--set: there is no parameter PROXI_IP", "did you mean PROXY_IP?"),
        (
            Code::InvalidParameter,
            "PROXY_IP (from --set): `999.1.1.1` is not an IP address: 999 is above 255",
            "PROXY_IP takes an address such as 10.0.0.7 or 2001:db8::7",
        ),
        (
            Code::MissingParameter,
            "PORT has no value (Where it listens)",
            "give it by --set PORT=VALUE; it takes a whole number from 1 to 65535",
        ),
        (
            Code::InvalidParameter,
            "MODE (from --set): `alow` is not one of: allow, deny; did you mean `allow`?",
            "MODE takes one of these words",
        ),
        (
            Code::InvalidParameter,
            "CODE (from --set): `abcd` does not match the pattern [a-z]{3}",
            "CODE takes a text that matches the whole pattern",
        ),
        (
            Code::InvalidParameter,
            "TOKEN (from --set): the value is not what is wanted",
            "TOKEN takes a whole number such as 5",
        ),
        (
            Code::InvalidParameter,
            "CA (from --set): `nope.pem` cannot be read: no such file",
            "CA takes the path of a text file",
        ),
    ];
    for (found, (code, message, help)) in found.iter().zip(expected) {
        assert_eq!(found, &(code, message.to_owned(), help.to_owned()));
    }
    assert_eq!(found.len(), 7);
}

#[test]
fn a_missing_value_says_how_to_give_it() {
    let params = params("  PROXY_IP: {type: ip, env: NOT_SET}");
    let help = |given: Given| messages(&params, &given)[0].2.clone();
    assert!(help(Given::default()).starts_with("give it by --set PROXY_IP=VALUE or the environment variable NOT_SET;"));
    let world = Given { world: Some(named("world.yaml", json!({}))), ..Given::default() };
    assert!(help(world).starts_with("give it by --set PROXY_IP=VALUE or `params:` of world.yaml;"));
}
