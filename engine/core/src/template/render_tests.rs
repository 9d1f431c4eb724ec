//! Templates filled in, flavour by flavour.

use serde_json::json;

use super::*;
use crate::source::{Span, Style};

fn scope() -> Scope {
    let mut scope = Scope::new();
    scope.set("IP", "10.0.0.7");
    scope.set("PORT", 3128);
    scope.set("RATIO", 0.5);
    scope.set("ON", true);
    scope.set("EMPTY", "");
    scope.set("SITE", "https://en.wikipedia.org/wiki/Main_Page");
    scope.set("V6", "https://[::1]:8443/x");
    scope.set("TITLE", "it's \"free\"");
    scope.set("LINES", "one\ntwo");
    scope.set("HOSTS", json!(["a.example", "b.example"]));
    scope.set("OBJECT", json!({"mode": "x"}));
    scope
}

fn render(raw: &str, flavour: Flavour) -> Result<String, RenderError> {
    Template::parse(raw, flavour).unwrap_or_else(|problems| panic!("{raw}: {problems:?}")).render(&scope())
}

fn text(raw: &str) -> String {
    render(raw, Flavour::Text).unwrap_or_else(|error| panic!("{raw}: {error}"))
}

fn refused(raw: &str, flavour: Flavour) -> (String, String) {
    let error = render(raw, flavour).expect_err(raw);
    (raw[error.at].to_owned(), error.message)
}

#[test]
fn values_are_written_as_they_are() {
    assert_eq!(text("{{IP}}:{{PORT}} {{RATIO}} {{ON}} [{{EMPTY}}]"), "10.0.0.7:3128 0.5 true []");
    assert_eq!(
        text("{{TITLE}} {{{TITLE}}} {{&TITLE}} {{LINES}}"),
        "it's \"free\" it's \"free\" it's \"free\" one\ntwo"
    );
    assert_eq!(text("no braces at all }}"), "no braces at all }}");
    assert_eq!(text(r"docker -f '\{{.Id}}' \\{{IP}}"), r"docker -f '{{.Id}}' \10.0.0.7");
    assert_eq!(text("a{{! a remark }}b{{!-- }} --}}c"), "abc");
}

#[test]
fn helpers_compute() {
    assert_eq!(
        text("{{quote TITLE}} {{json HOSTS}} {{json PORT}}"),
        r#""it's \"free\"" ["a.example","b.example"] 3128"#
    );
    assert_eq!(text("{{yaml OBJECT}}\n{{yaml HOSTS}}"), "mode: x\n- a.example\n- b.example");
    assert_eq!(text("{{indent 2 LINES}}\n{{indent 2 (yaml OBJECT)}}"), "  one\n  two\n  mode: x");
    assert_eq!(text("{{b64encode IP}}"), "MTAuMC4wLjc=");
    assert_eq!(text("{{default \"none\" EMPTY}} {{default \"none\" IP}} {{default 0 PORT}}"), "none 10.0.0.7 3128");
    assert_eq!(text("{{host SITE}} {{port SITE}} {{host V6}} {{port V6}}"), "en.wikipedia.org 443 ::1 8443");
    assert_eq!(text("{{len HOSTS}} {{lookup HOSTS 1}} {{OBJECT.mode}}"), "2 b.example x");
}

#[test]
fn blocks_choose_and_repeat() {
    assert_eq!(text("{{#if EMPTY}}a{{else if ON}}b{{else}}c{{/if}}"), "b");
    assert_eq!(text("{{#unless EMPTY}}a{{/unless}}{{#if (eq PORT 3128)}}b{{/if}}"), "ab");
    assert_eq!(text("{{#if (and ON (not EMPTY))}}a{{/if}}"), "a");
    assert_eq!(
        text("{{#each HOSTS}}{{@index}}={{this}}@{{IP}};{{/each}}"),
        "0=a.example@10.0.0.7;1=b.example@10.0.0.7;"
    );
    assert_eq!(
        text("{{#each HOSTS as |h i|}}{{#if (eq h \"a.example\")}}{{i}}{{h}}{{PORT}}{{/if}}{{/each}}"),
        "0a.example3128"
    );
    assert_eq!(text("{{#with OBJECT as |o|}}{{o.mode}}{{this.mode}}{{/with}}"), "xx");
    // A block on lines of its own leaves no empty lines behind.
    assert_eq!(
        text("ports:\n{{#each HOSTS}}\n- {{this}}\n{{/each}}\nend\n"),
        "ports:\n- a.example\n- b.example\nend\n"
    );
}

#[test]
fn lists_and_mappings_are_no_text() {
    let (at, message) = refused("x {{IP}} {{HOSTS}}", Flavour::Text);
    assert_eq!((at.as_str(), message.as_str()), ("{{HOSTS}}", "the value is a list, not text"));
    assert_eq!(refused("{{OBJECT.none}}", Flavour::Text).1, "the value has no such field");
    assert_eq!(refused("a\n {{IP}}é{{host TITLE}}", Flavour::Text).0, "{{host TITLE}}");
}

#[test]
fn a_name_without_a_value_is_named() {
    let error = Template::parse("a {{POD}}", Flavour::Text).expect("valid").render(&scope()).expect_err("no value");
    assert_eq!((error.unknown.as_deref(), error.at), (Some("POD"), 4..7));
    let template = Template::parse("{{#if POD}}{{IP}}{{/if}}", Flavour::Text).expect("valid");
    assert_eq!(template.missing(&scope()).collect::<Vec<_>>(), ["POD"]);
}

#[test]
fn a_line_break_in_a_manifest_needs_a_helper() {
    assert_eq!(refused("a: {{LINES}}", Flavour::Manifest).0, "{{LINES}}");
    assert_eq!(refused("a: {{{LINES}}}", Flavour::Manifest).0, "{{{LINES}}}");
    for fine in
        ["a: {{json LINES}}", "a: |\n{{indent 2 LINES}}", "a: {{quote LINES}}", "a: {{yaml OBJECT}}", "a: {{IP}}/32"]
    {
        assert!(render(fine, Flavour::Manifest).is_ok(), "{fine}");
    }
}

#[test]
fn values_in_scripts_become_single_words() {
    let script = |raw| render(raw, Flavour::Shell);
    assert_eq!(
        script("curl {{SITE}} {{TITLE}} {{EMPTY}} {{PORT}}").as_deref(),
        Ok("curl https://en.wikipedia.org/wiki/Main_Page 'it'\\''s \"free\"' '' 3128")
    );
    assert_eq!(
        script("x \"{{IP}}\" '{{EMPTY}}' $(y {{TITLE}})").as_deref(),
        Ok("x \"10.0.0.7\" '' $(y 'it'\\''s \"free\"')")
    );
    assert_eq!(script("echo {{{TITLE}}}").as_deref(), Ok("echo it's \"free\""));
    for (raw, place) in [
        ("echo \"{{TITLE}}\"", "inside shell quotes"),
        ("echo '{{TITLE}}'", "inside shell quotes"),
        ("echo # {{LINES}}", "in a shell comment"),
        ("cat <<EOF\n{{TITLE}}\nEOF\n", "in a here-document"),
        ("echo ${X:-{{TITLE}}}", "inside a shell expansion"),
        ("echo `echo {{TITLE}}`", "inside a shell expansion"),
        ("echo $(( {{TITLE}} ))", "inside a shell expansion"),
        ("echo \\\\{{TITLE}}", "inside a shell expansion"),
    ] {
        let (at, message) = refused(raw, Flavour::Shell);
        assert!(at.contains("{{"), "{raw}");
        assert_eq!(message, format!("the value needs quotes, and stands {place}"), "{raw}");
    }
}

#[test]
fn pieces_keep_values_apart_from_the_text() {
    let template =
        Template::parse("[ip] {{IP}}{{PORT}} x {{#if ON}}[int]{{EMPTY}}{{/if}}", Flavour::Text).expect("valid");
    assert_eq!(
        template.render_pieces(&scope()).expect("renders"),
        [
            Piece::Literal("[ip] ".into()),
            Piece::Value("10.0.0.7".into()),
            Piece::Value("3128".into()),
            Piece::Literal(" x [int]".into()),
            Piece::Value(String::new()),
        ]
    );
    let mut scope = Scope::new();
    scope.set("X", "a\u{fdd1}[ip]");
    let template = Template::parse("{{X}}", Flavour::Text).expect("valid");
    assert_eq!(template.render_pieces(&scope).expect("renders"), [Piece::Value("a\u{fffd}[ip]".into())]);
}

#[test]
fn secrets_are_known_by_name() {
    let mut scope = scope();
    scope.set_secret("TOKEN", "x");
    assert!(Template::parse("a {{TOKEN}}", Flavour::Text).expect("valid").uses_secret(&scope));
    assert!(!Template::parse("a {{IP}}", Flavour::Text).expect("valid").uses_secret(&scope));
}

#[test]
fn texts_render_at_once() {
    let text = Text { raw: "{{IP}}".into(), span: Span::default(), style: Style::Plain };
    assert_eq!(text.render(Flavour::Text, &scope()).as_deref(), Ok("10.0.0.7"));
    let broken = Text { raw: "{{IP".into(), ..text };
    assert!(broken.render(Flavour::Text, &scope()).is_err());
}
