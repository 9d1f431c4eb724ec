//! Each verb by itself: what is typed for what a runbook may say.

use periplus_core::model::Runbook;

use super::support::{last, parses, read, steps};
use crate::docs::commands::Commands;

/// The commands of the last step of each case, under its title.
fn cases(cases: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (title, text) in cases {
        let commanded = last(text);
        out.push_str(&format!("== {title}\n{}\n", commanded.block.as_deref().unwrap_or("(none)")));
        if let Some(printed) = commanded.prints {
            out.push_str(&format!("-- prints\n{}\n", printed.pattern));
        }
        if !commanded.filled_in.is_empty() {
            out.push_str(&format!("-- filled in: {}\n", commanded.filled_in.join(", ")));
        }
        out.push('\n');
    }
    out
}

#[test]
fn apply() {
    let shown = cases(&[
        (
            "comments, signs of the shell and a terminator in the text",
            "- id: s\n  apply:\n    manifest: |\n      # $HOME `id` \\n\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: x}\n      data:\n        a: |\n          b\n      # EOF\n",
        ),
        (
            "values and signs of the shell",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: '{{NAME}}'}\n      data: {a: '$x', b: '{{IP}}:{{PORT}}', c: {{json TEXT}}, d: {{quote IP}}, e: '{{default \"none\" NAME}}'}\n",
        ),
        (
            "a block that the shell cannot say",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: x}\n      data:\n        {{#each HOSTS}}\n        {{this}}: 'on'\n        {{/each}}\n        port: '{{PORT}}'\n",
        ),
        (
            "a file beside what the shell cannot say",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: x}\n      data: {ca: {{json CA}}, hosts: '{{#each HOSTS}}{{this}} {{/each}}'}\n",
        ),
        (
            "a file within what the shell cannot say",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: x}\n      data:\n        {{#if ON}}\n        ca: {{json CA}}\n        {{/if}}\n",
        ),
        (
            "namespaces of their own beside none",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: a}\n      ---\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: b, namespace: other}\n      ---\n      apiVersion: v1\n      kind: Namespace\n      metadata: {name: third}\n",
        ),
        (
            "a list of objects in two namespaces",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: List\n      items:\n      - apiVersion: v1\n        kind: ConfigMap\n        metadata: {name: a}\n        data: {x: {{json TEXT}}, y: '{{IP}}'}\n      - apiVersion: v1\n        kind: ConfigMap\n        metadata: {name: b, namespace: other}\n",
        ),
        (
            "a list that has to be written out",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: List\n      items:\n      - apiVersion: v1\n        kind: ConfigMap\n        metadata: {name: a}\n        data: {x: {{json PORT}}, y: '{{default \"z\" NAME}}'}\n      - apiVersion: v1\n        kind: ConfigMap\n        metadata: {name: b, namespace: other}\n",
        ),
        (
            "kubectl's order is that of its calls",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: a}\n      ---\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: b, namespace: other}\n      ---\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: c}\n",
        ),
        (
            "a list of objects that all have a namespace",
            "- id: s\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: List\n      items:\n      - {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: one}}\n      - {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: other}}\n",
        ),
        (
            "a file, taken over from other managers, and a wait",
            "- id: s\n  apply: {file: a.yaml, force: true}\n  wait: {for: 'jsonpath={.data.x}={{PORT}}', timeout: 90s}\n",
        ),
        ("a file with templates", "- id: s\n  apply: {file: a.yaml, render: true}\n"),
        (
            "what was there before",
            "- id: look\n  get: {kind: ConfigMap, name: a}\n  capture: {A: '{.data.a}'}\n- id: s\n  apply: {file: a.yaml}\n",
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn exec() {
    let shown = cases(&[
        (
            "words of every sort",
            "- id: s\n  exec:\n    in: {workload: deploy/x, namespace: '{{NAME}}', container: c}\n    env: {A: '{{TEXT}}!', 'B.C': plain, D: ''}\n    command: [printf, '%s', \"it's\", '$x', '!', '{{host SITE}}', '{{port SITE}}', '{{default \"x y\" TEXT}}', \"a\\tb\\r\"]\n",
        ),
        ("a file within a word", "- id: s\n  exec: {in: {pod: p}, command: [echo, '{{#if ON}}x {{CA}}{{/if}}']}\n"),
        ("a pod by labels", "- id: s\n  exec: {in: {selector: 'app={{NAME}},tier in (a,b)'}, command: [id]}\n"),
        (
            "values in every place of a script",
            "- id: s\n  exec:\n    in: {pod: p}\n    env: {TEXT: other}\n    sh: |\n      echo {{TEXT}} \"{{IP}}x\" '{{PORT}}' {{{NAME}}} {{host SITE}}\n      cat <<END\n      {{IP}}\n      END\n      # {{PORT}}\n",
        ),
        (
            "JSON in words",
            "- id: s\n  exec: {in: {pod: p}, command: [run, '{\"a\": {{json TEXT}}, \"n\": {{json PORT}}}', '{{quote IP}}']}\n",
        ),
        ("JSON in a script", "- id: s\n  exec: {in: {pod: p}, sh: 'run {{json TEXT}}'}\n"),
        (
            "a list in a script",
            "- id: s\n  exec: {in: {pod: p}, sh: 'for h in {{#each HOSTS}}{{this}} {{/each}}; do echo $h; done'}\n",
        ),
        (
            "a secret",
            "- id: s\n  exec: {in: {pod: p}, env: {KEY: 'Bearer {{SECRET}}', A: '{{IP}}'}, command: [curl, -sS, '{{SITE}}']}\n",
        ),
        (
            "what another step runs, elsewhere",
            "- id: a\n  namespace: first\n  exec: {in: {workload: deploy/x}, env: {A: '1', B: '2'}, command: [date]}\n- id: s\n  exec: {like: a, env: {B: '3'}}\n",
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn checks() {
    let exec = "- id: s\n  exec: {in: {pod: p}, command: [run]}\n  expect-output: ";
    let case = |check: &str| format!("{exec}{check}\n");
    let all = [
        ("find", case("{find: 'a+b', equals: aab}")),
        ("errors", case("{stream: stderr, contains: no, fails: true}")),
        ("find and equals in time", case("{find: <t>.*</t>, equals: '<t>{{TEXT}}</t>', within: 90s, every: 500ms}")),
        ("texts in time", case("{contains: [a, '{{TEXT}}'], not-contains: \"it's\", within: 5s}")),
        ("codes in time", case("{exit: [35, 56], regex: 'x|y', within: 2s}")),
        ("several in a row", case("{fails: true, not-contains: ok, within: 10s, every: 2s, consecutive: 3}")),
        ("lines in time", case("{lines: \"a [int] b  c\\n...\\n[ip]\", within: 2s}")),
        ("values in time", case("{json: {a: {b: c.d, n: 1}, e: [x]}, within: 2s}")),
        ("nothing, in time", case("{json: {z: null, n: 2, b: null}, within: 2s}")),
        ("lines of one shape", case("{lines: \"p [ip:A]\\nq [int]\\np [ip:B] \\nq [int:C]\"}")),
        ("numbers in time", case("{find: '[0-9]+', at-least: '{{PORT}}', at-most: 9.5, within: 2s}")),
        ("no use in waiting", case("{contains: ok, stop-on: {contains: response 407}, within: 2s}")),
        (
            "no use in waiting once all of this holds",
            case("{find: a+, equals: aa, stop-on: {find: '[a-z]+', contains: [b, c], exit: [6, 7]}, within: 2s}"),
        ),
        (
            "errors that no waiting mends",
            case("{equals: ok, stop-on: {stream: stderr, contains: no route}, within: 2s}"),
        ),
        ("errors in time", case("{stream: stderr, contains: no, exit: 7, within: 2s}")),
        ("just these errors in time", case("{stream: stderr, equals: no, exit: 7, within: 2s}")),
        ("both in any order", case("{stream: both, contains: [a, b]}")),
        ("both in their order", case("{stream: both, lines: \"a\\nb\"}")),
        ("both in their order, in time", case("{stream: both, equals: \"a\\nb\", fails: true, within: 2s}")),
        ("both, narrowed", case("{stream: both, find: '[ab]', equals: \"a\\nb\"}")),
        (
            "what is captured",
            format!(
                "{exec}{{lines: 'pid [int:PID] of [word:WHO]', within: 2s}}\n  capture: {{X: {{find: 'of (\\w+)', default: none}}}}\n"
            ),
        ),
    ];
    let all: Vec<(&str, &str)> = all.iter().map(|(title, text)| (*title, text.as_str())).collect();
    let below = "- id: s\n  exec: {in: {pod: p}, command: [run]}\n  expect-output: {find: a+, contains: aa, within: 3s}\n- id: t\n  expect-output: {of: s, contains: b}\n";
    let runbook = steps(below);
    let commands = Commands::new(&runbook);
    let first = commands.step(&runbook.steps[0]).block.expect("a block");
    parses(&first);
    assert_eq!(commands.step(&runbook.steps[1]).block, None);
    let streams = steps(
        "- id: s\n  exec: {in: {pod: p}, command: [run]}\n  expect-output: {stream: stderr, contains: no, fails: true, within: 3s}\n- id: t\n  expect-output: {of: s, contains: b}\n",
    );
    let other = Commands::new(&streams).step(&streams.steps[0]).block.expect("a block");
    parses(&other);
    let shown = format!("{}== a check below\n{first}\n\n== below, of the other stream\n{other}\n", cases(&all));
    insta::assert_snapshot!(shown);
}

#[test]
fn logs() {
    let after = "- id: do-it\n  exec: {in: {pod: p}, command: [run]}\n- id: s\n  log-grep: ";
    let case = |check: &str| format!("{after}{check}\n");
    let all = [
        ("texts on one line", case("{in: {pod: p}, since: do-it, contains: [\" UH \", '{{TEXT}}', --x]}")),
        ("by labels", case("{in: {selector: app=x, container: c}, since: do-it, regex: 'a\\d'}")),
        ("of itself", "- id: s\n  log-grep: {in: {pod: p}, contains: x, within: 5s}\n".to_owned()),
        ("several lines", case("{in: {pod: p}, since: do-it, lines: \"first [int]\\nsecond {{IP}} done\"}")),
        ("nothing but a token", case("{in: {pod: p}, since: do-it, lines: '[ip]'}")),
        ("a capture", case("{in: {pod: p}, since: do-it, lines: 'id=[uuid:ID] path=/a/b'}")),
        ("captures of one shape", case("{in: {pod: p}, since: do-it, lines: \"id [uuid:A]\\nid [uuid:B]\"}")),
        (
            "a workload of several pods",
            "- id: w\n  apply:\n    manifest: |\n      apiVersion: apps/v1\n      kind: Deployment\n      metadata: {name: '{{NAME}}'}\n      spec: {replicas: 2, selector: {matchLabels: {app: '{{NAME}}', tier: x}}}\n- id: s\n  log-grep: {in: {workload: 'deploy/{{NAME}}', container: c}, since: w, contains: x}\n".to_owned(),
        ),
        ("at least so many", case("{in: {pod: p}, since: do-it, contains: x, count: {min: 3}}")),
        ("none", case("{in: {pod: p}, since: do-it, contains: x, count: {max: 0}}")),
        ("one and no other", case("{in: {pod: p}, since: do-it, contains: x, not-contains: [y, \"z's\"]}")),
        ("a file", case("{in: {pod: p}, file: /var/log/x.log, since: do-it, contains: x}")),
        (
            "lines of a file, counted",
            case("{in: {pod: p}, file: '/var/{{NAME}}', since: do-it, contains: x, count: {min: 2, max: 4}}"),
        ),
    ];
    let mut out = String::new();
    for (title, text) in all {
        let runbook = steps(&text);
        let commands = Commands::new(&runbook);
        out.push_str(&format!("== {title}\n"));
        for step in &runbook.steps {
            let block = commands.step(step).block.expect("a block");
            parses(&block);
            out.push_str(&format!("{block}\n\n"));
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn marks_are_set_anew_where_nothing_else_may_count() {
    let runbook = steps(
        "- id: call\n  exec: {in: {pod: p}, command: [run]}\n  expect-output: {contains: ok, within: 3s}\n- id: s\n  log-grep: {in: {pod: p}, since: call, contains: ERROR, count: {max: 0}}\n",
    );
    let shown = Commands::new(&runbook).step(&runbook.steps[0]).block.expect("a block");
    insta::assert_snapshot!(shown);
}

#[test]
fn get_wait_and_delete() {
    let shown = cases(&[
        (
            "paths",
            "- id: s\n  get: {kind: Pod, selector: 'app={{NAME}}'}\n  capture: {A: '{.metadata.name}', B: {path: \"{.metadata.labels['a.b/c']}\", default: it's}, C: '{.spec.containers[?(@.name==\"x\")].image}'}\n",
        ),
        ("an object", "- id: s\n  get: {kind: Gateway, apiVersion: gateway.networking.k8s.io/v1, name: g}\n"),
        (
            "YAML in a field",
            "- id: s\n  get: {kind: ConfigMap, name: a, yaml-in: /data/x.yaml}\n  capture: {A: '{.b[0].c}'}\n",
        ),
        ("deletion", "- id: s\n  wait: {kind: Pod, selector: app=x, for: deletion, timeout: 2m}\n"),
        ("a condition", "- id: s\n  wait: {kind: Pod, name: '{{NAME}}', for: condition=Ready=False}\n"),
        ("a path", "- id: s\n  wait: {kind: Pod, name: x, for: 'jsonpath={.status.phase}={{NAME}}'}\n"),
        ("a rollout", "- id: s\n  wait: {kind: StatefulSet, name: x, for: rollout}\n"),
        ("delete", "- id: s\n  delete: {kind: Namespace, name: x}\n"),
        ("delete by labels", "- id: s\n  delete: {kind: Widget, apiVersion: example.com/v1, selector: 'a=b'}\n"),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn patch() {
    let shown = cases(&[
        ("short", "- id: s\n  patch: {object: {kind: ConfigMap, name: a}, merge: {data: {a: b, c: null}}}\n"),
        (
            "values that may be anything",
            "- id: s\n  patch: {object: {kind: ConfigMap, name: a}, merge: {data: {'a b': 'x {{TEXT}}', c: '{{IP}}:{{PORT}}', 'n': yes}}}\n",
        ),
        (
            "text",
            "- id: s\n  patch:\n    object: {kind: Service, name: a}\n    json: |\n      - {op: add, path: /spec/x, value: {{PORT}}}\n",
        ),
        (
            "a list",
            "- id: s\n  patch: {object: {kind: Deployment, name: a}, strategic: {spec: {template: {spec: {containers: [{name: c, env: [{name: A, value: '{{PORT}}'}, {name: B, value: ''}]}]}}}}}\n",
        ),
        (
            "by labels",
            "- id: s\n  patch: {object: {kind: Pod, selector: a=b}, merge: {metadata: {labels: {x: '{{TEXT}}'}}}}\n",
        ),
        (
            "and a wait",
            "- id: s\n  patch: {object: {kind: Deployment, name: a}, merge: {spec: {replicas: 2}}}\n  wait: rollout\n",
        ),
        (
            "YAML in a ConfigMap",
            "- id: s\n  patch: {object: {kind: ConfigMap, name: '{{NAME}}'}, yaml-in: /data/a.yaml, merge: {a: {'b.c': '{{TEXT}}', d: null, e: [1, x]}, 'on': false}}\n",
        ),
        (
            "YAML in another object",
            "- id: s\n  patch: {object: {kind: Widget, apiVersion: example.com/v1, name: w}, yaml-in: /spec/values, merge: {a: b}}\n",
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn expect_object() {
    let shown = cases(&[
        (
            "fields",
            "- id: s\n  expect-object: {kind: ConfigMap, name: a, matches: {data: {x.y: '{{TEXT}}', z: \"it's\"}}}\n",
        ),
        (
            "fields in time",
            "- id: s\n  expect-object: {kind: ConfigMap, name: a, matches: {data: {x: '{{TEXT}}', y: null, z: 3}}, within: 3s, consecutive: 2}\n",
        ),
        (
            "lists in time",
            "- id: s\n  expect-object: {kind: Pod, selector: a=b, matches: {spec: {containers: [{name: c}]}}, within: 3s}\n",
        ),
        ("absent", "- id: s\n  expect-object: {kind: ConfigMap, name: a, absent: true}\n"),
        ("absent in time", "- id: s\n  expect-object: {kind: Pod, selector: a=b, absent: true, within: 3s}\n"),
    ]);
    insta::assert_snapshot!(shown);
}

/// The requirements, parameters and clean-up of a runbook that has some of each.
fn rich() -> Runbook {
    read(
        r#"
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: rich}
namespace: demo
params:
  A: {type: string, description: "The colour of ships; any will do"}
  B: {type: list, of: host, default: [a.example, b.example]}
  C: {type: string, default: "$(id) it's 'x' !!"}
  D: {type: name, optional: true}
  UID: {type: int}
  MESH_CONFIG: {type: name, default: istio}
  CA: {type: file, default: my ca.pem}
  KEY: {type: file, description: key of the client}
requires:
  - serves: {kind: Pod, apiVersion: v1}
  - serves: {kind: ServiceEntry, apiVersion: networking.istio.io/v1}
  - sidecar: {selector: app=x}
  - access-log: text
  - can: {verb: create, resource: pods/exec}
  - can: {verb: get, resource: serviceentries, group: networking.istio.io, namespace: "{{D}}"}
cleanup: {keep: [kept]}
steps:
  - id: kept
    apply:
      manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\n"
  - id: space
    apply:
      manifest: "apiVersion: v1\nkind: Namespace\nmetadata: {name: space}\n"
  - id: inside
    apply:
      namespace: space
      manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: inside}\n"
  - id: two
    apply:
      manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: b}\n"
  - id: change-kept
    patch: {object: {kind: ConfigMap, name: kept}, merge: {data: {a: b}}}
  - id: change-own
    patch: {object: {kind: ConfigMap, name: a}, merge: {data: {a: b}}}
  - id: change-held
    when: D != ""
    patch: {object: {kind: ConfigMap, name: mesh}, yaml-in: /data/mesh, merge: {a: b}}
  - id: change-held-again
    patch: {object: {kind: ConfigMap, name: mesh}, yaml-in: /data/mesh, merge: {c: d}}
  - id: change-widget
    patch: {object: {kind: Widget, apiVersion: example.com/v1, name: w}, yaml-in: /spec/v, merge: {a: b}}
  - id: take-away
    delete: {kind: Service, name: old}
  - id: relabel
    apply:
      manifest: "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {a: b}}\n"
"#,
        &[],
    )
}

#[test]
fn the_rest_of_a_page() {
    let runbook = rich();
    let commands = Commands::new(&runbook);
    let order: Vec<usize> = (0..runbook.steps.len()).collect();
    let [requirements, clean_up] =
        [commands.requirements(), commands.clean_up(&order)].map(|commanded| commanded.block.expect("a block"));
    parses(&requirements);
    parses(&clean_up);
    for step in &runbook.steps {
        parses(&commands.step(step).block.expect("a block"));
    }
    let away = commands.step(&runbook.steps[9]).block.expect("a block");
    let exports = commands.exports();
    let shown = format!("{exports}\n\n{requirements}\n\n{away}\n\n{clean_up}");
    insta::assert_snapshot!(shown);
}

#[test]
fn nothing_ends_the_shell_of_the_reader() {
    let runbook = rich();
    let commands = Commands::new(&runbook);
    let order: Vec<usize> = (0..runbook.steps.len()).collect();
    let steps = runbook.steps.iter().map(|step| commands.step(step));
    for block in
        steps.chain([commands.clean_up(&order), commands.requirements()]).filter_map(|commanded| commanded.block)
    {
        for line in block.lines() {
            let first = line.split_whitespace().next().unwrap_or_default();
            assert!(!matches!(first, "exit" | "set" | "return" | "exec" | "logout" | "trap"), "{line}");
        }
    }
}

#[test]
fn what_was_there_is_put_back_once_and_only_where_it_stays() {
    let runbook = steps(
        "- id: one\n  patch: {object: {kind: ConfigMap, name: old}, merge: {data: {a: b}}}\n\
         - id: two\n  patch: {object: {kind: ConfigMap, name: old}, merge: {data: {c: d}}}\n\
         - id: held\n  patch: {object: {kind: ConfigMap, name: old}, yaml-in: /data/x, merge: {c: d}}\n\
         - id: other\n  patch: {object: {kind: ConfigMap, name: other}, yaml-in: /data/x, merge: {c: d}}\n\
         - id: other-again\n  patch: {object: {kind: ConfigMap, name: other}, yaml-in: /data/x, merge: {e: f}}\n\
         - id: made\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: made, labels: {a: b}}\n\
         - id: all\n  patch: {object: {kind: ConfigMap, selector: a=b}, merge: {data: {a: b}}}\n\
         - id: away\n  delete: {kind: ConfigMap, selector: 'a in (b, c)'}\n",
    );
    let commands = Commands::new(&runbook);
    let order: Vec<usize> = (0..runbook.steps.len()).collect();
    let blocks = runbook.steps.iter().filter_map(|step| commands.step(step).block).collect::<Vec<_>>().join("\n\n");
    let clean_up = commands.clean_up(&order).block.expect("a block");
    insta::assert_snapshot!(format!("{blocks}\n\n== clean up\n{clean_up}"));
}

#[test]
fn what_is_written_out_in_the_clean_up_is_told() {
    let runbook = steps(
        "- id: a\n  apply:\n    manifest: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: 'x-{{lookup HOSTS 0}}'}\n",
    );
    let commands = Commands::new(&runbook);
    assert_eq!(commands.clean_up(&[0]).filled_in, ["HOSTS"]);
    assert_eq!(commands.requirements(), crate::docs::commands::Commanded::default());
}

#[test]
fn a_file_whose_text_is_not_known_is_asked_for() {
    let runbook = read(
        "apiVersion: periplus.dev/v1\nkind: Runbook\nmetadata: {name: x}\nparams:\n  CA: {type: file, default: ca.pem}\n  \
         KEY: {type: file}\nsteps:\n- id: s\n  namespace: a\n  apply:\n    manifest: |\n      apiVersion: v1\n      \
         kind: ConfigMap\n      metadata: {name: x}\n      data:\n        {{#if CA}}\n        ca: {{json CA}}\n        \
         {{/if}}\n        key: {{json KEY}}\n- id: t\n  namespace: a\n  apply:\n    manifest: |\n      apiVersion: v1\n      \
         kind: ConfigMap\n      metadata: {name: x}\n      data: {ca: {{json CA}}}\n",
        &[("ca.pem", "-----\n")],
    );
    let commands = Commands::new(&runbook);
    let block = commands.step(&runbook.steps[0]).block.expect("a block");
    // bash refuses to go on without it.
    assert!(block.contains("\n${TEXT_OF_CA:?write here"), "{block}");
    assert!(block.contains("\n  key: $(json \"$KEY\")\n"), "{block}");
    let block = commands.step(&runbook.steps[1]).block.expect("a block");
    assert!(block.contains("ca: $(json \"$CA\")"), "{block}");
}
