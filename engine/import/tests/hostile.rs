//! Whatever a page holds, an import ends, does not panic, and what it makes loads.

use periplus_core::diag::Severity;
use periplus_core::load::{Files, load};
use periplus_core::source::Source;
use periplus_import::{Options, import};
use proptest::prelude::*;

struct Anything;

impl Files for Anything {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stand-in}\n".to_owned())
    }
}

fn holds(page: &str) {
    let Ok(imported) = import(page, &Options::default()) else { return };
    struct Shown<'i>(&'i periplus_import::Imported);
    impl Files for Shown<'_> {
        fn read(&self, path: &str) -> Result<String, String> {
            let shown = self.0.files.iter().find(|file| file.path == path).map(|file| file.text.clone());
            shown.map_or_else(|| Anything.read(path), Ok)
        }
    }
    let source = Source { name: "runbook.yaml".to_owned(), text: imported.runbook.clone() };
    let loaded = load(&source, &Shown(&imported));
    let errors: Vec<_> = loaded.diagnostics.iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{}", imported.runbook);
    assert!(!imported.report.name.is_empty());
}

/// Pieces that pages are made of, and pieces that break them.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "# Title\n\n",
        "## Clean up\n\n",
        "## Notes\n\n",
        "1. Do it:\n\n",
        "- item\n",
        "    indented\n",
        "```bash\n",
        "```\n",
        "~~~sh\n",
        "~~~\n",
        "> [!NOTE]\n> x\n\n",
        "<a id=\"x\"></a>\n\n",
        "You should see:\n\n",
        "It must fail.\n\n",
        "{{< text bash >}}\n",
        "{{< /text >}}\n",
        "{{< tab name=\"A\" >}}\n",
        "{{< warning >}}\n",
        "{{< /warning >}}\n",
        "---\ntitle: T\n---\n",
        "<!-- Made by `periplus docs` from the runbook x. -->\n\n",
        "kubectl apply -f - <<EOF\n",
        "kubectl apply -f - <<'EOF'\n",
        "EOF\n",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
        "export A=<THE_VALUE>\n",
        "export B=$(kubectl get pod -l a=b -o jsonpath={.items..metadata.name})\n",
        "export C=$A:$B\n",
        "kubectl exec $B -c x -- sh -c \"P=$A curl $C\" | grep -o '<t>.*</t>'\n",
        "kubectl logs $B | grep -F \"$A\"\n",
        "kubectl get cm istio -n istio-system -o yaml | sed 's/mode: A/mode: B/' | kubectl replace -f -\n",
        "kubectl delete ns a\n",
        "kubectl label ns a b=c d-\n",
        "kubectl patch x y -p '{\"a\": {{b}}}'\n",
        "cat > f.yaml <<EOF\n",
        "kubectl apply -f f.yaml -f g.yaml\n",
        "for i in {1..3}; do\n",
        "done\n",
        "while ! a; do sleep 1; done\n",
        "if a; then\n",
        "fi\n",
        "$ kubectl get pod x\n",
        "[2020-01-01T00:00:00Z] \"- - -\" 0 - 1 2 3 10.0.0.1:80\n",
        "# You should see\n",
        "...\n",
        "[ip] [intt] \\[x\n",
        "$((1 + 2))",
        "$(",
        "`",
        "\"",
        "'",
        "(",
        ")",
        "{{",
        "}}",
        "\\{{X}}",
        "${A:-b}",
        "${A%%x}",
        "~9999999999999999999999/",
        "\\\n",
        " | ",
        " && ",
        " || ",
        ";",
        "\u{202e}",
        "\u{feff}",
        "\r\n",
        "\t",
        "\u{0}",
        "{1..99999999999999999999}",
    ];
    let word = prop_oneof![
        8 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "[ -~\n]{0,12}",
        1 => "\\PC{0,6}",
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_any_pieces(page in pieces()) {
        holds(&page);
    }

    #[test]
    fn pages_of_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        holds(&text);
        holds(&format!("```bash\n{text}\n```\n"));
    }

    #[test]
    fn any_value_in_a_command(value in "\\PC{0,30}|[ -~]{0,30}") {
        holds(&format!("# T\n\n```bash\nexport A='{value}'\nkubectl exec deploy/x -- echo \"$A\" '{value}'\n```\n\nYou should see:\n\n```\n{value}\n```\n"));
        holds(&format!("# {value}\n\n{value}\n\n```bash\nkubectl apply -f - <<'EOF'\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  k: |\n    {value}\nEOF\n```\n"));
    }
}

#[test]
fn large_and_deep_pages_end_soon() {
    holds(&"> ".repeat(20_000));
    holds(&"- ".repeat(5_000));
    holds(&"[".repeat(20_000));
    holds(&"*a ".repeat(20_000));
    holds(&format!("```bash\n{}\n```\n", "kubectl get pod x\n".repeat(4_000)));
    holds(&format!("```bash\n{}\n```\n", "echo 'a\n".repeat(5_000)));
    holds(&format!("```bash\n{}\n```\n", "# You should see\nx\nkubectl get pod x\n".repeat(2_000)));
    holds(&format!("```console\n{}\n```\n", "$ kubectl get pod x\nout\n".repeat(3_000)));
    holds(&format!("```bash\nkubectl apply -f - <<EOF\n{}EOF\n```\n", "a: $B\n".repeat(20_000)));
    holds(&format!("```bash\nkubectl exec x -- sh -c \"{}\"\n```\n", "$(".repeat(10_000)));
    holds(&format!("```bash\nx {}\n```\n", "(".repeat(10_000)));
    holds(&format!("```bash\n{}\n```\n", "if a; then ".repeat(10_000)));
    holds(&format!("```bash\nkubectl patch x y -p '{}'\n```\n", "[".repeat(10_000)));
}
