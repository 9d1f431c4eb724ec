//! Functions of the shell that commands call where no program that is everywhere does the work.
//!
//! Each is defined once, before the first step, so that the steps themselves stay what a person types.

/// A function of the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Function {
    /// Writes a text as a string of JSON, hence of YAML, whatever is in it.
    Json,
    /// Reads YAML that stands in a field.
    YamlAt,
    /// Sets or removes one key of a YAML file.
    SetYaml,
}

/// A function of the shell, as a command that defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCommand {
    /// Its name.
    pub name: &'static str,
    /// What it does, as a sentence.
    pub does: &'static str,
    /// The command; without a line break at its end.
    pub block: &'static str,
}

const JSON: &str = r#"json() {
  printf '%s\n' "$1" | awk '
    BEGIN {
      for (i = 1; i < 128; i++) if (i < 32 || i > 126) code[sprintf("%c", i)] = sprintf("\\u%04x", i)
      code["\""] = "\\\""; code["\\"] = "\\\\"
    }
    {
      if (NR > 1) text = text "\\n"
      for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); text = text (c in code ? code[c] : c) }
    }
    END { printf "\"%s\"", text }'
}"#;

/// kubectl itself is the parser that is surely there: the YAML goes into an object that is never sent anywhere.
const YAML_AT: &str = r#"yaml_at() {
  { printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata: {name: held}' 'held:'; sed 's/^/  /'; } |
    kubectl create -f - --dry-run=client --validate=false -o jsonpath="$1"
}"#;

/// Refuses what it cannot read, since its result goes into a cluster.
pub(super) const SET_YAML: &str = include_str!("set_yaml.sh");

impl Function {
    pub(super) fn command(self) -> FunctionCommand {
        match self {
            Self::Json => FunctionCommand {
                name: "json",
                does: "writes a value as a string of JSON, whatever is in it.",
                block: JSON,
            },
            Self::YamlAt => FunctionCommand {
                name: "yaml_at",
                does: "reads one value of the YAML on its standard input; `kubectl` is its parser, and nothing is sent.",
                block: YAML_AT,
            },
            Self::SetYaml => FunctionCommand {
                name: "set_yaml",
                does: "sets one key of a YAML file and leaves every other line as it is, or refuses.",
                block: SET_YAML.trim_ascii_end(),
            },
        }
    }
}
