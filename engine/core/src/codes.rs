//! The one table of diagnostic codes: what each means, and where documents explain it.

use serde::Serialize;

macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal,)*) => {
        /// Which of the known mistakes a diagnostic reports. Codes are stable: scripts and documents refer to them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as users see it, such as `unknown-key`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    NotFound = "not-found": "There is no runbook at that path.",
    NotUtf8 = "not-utf8": "The file is not UTF-8 text.",
    FileTooLarge = "file-too-large": "The file is larger than the format allows.",
    NotYaml = "not-yaml": "The file is not valid YAML.",
    EmptyFile = "empty-file": "The file holds nothing.",
    SecondDocument = "second-document": "The file holds more than one YAML document.",
    NotPlainYaml = "not-plain-yaml": "The file uses anchors, aliases, merge keys or tags, which runbooks do without.",
    TooManyNodes = "too-many-nodes": "The file holds more values than the format allows.",
    TooDeep = "too-deep": "The file is nested deeper than the format allows.",
    NotARunbook = "not-a-runbook": "The file is YAML, but not a runbook of this version.",
    UnknownKey = "unknown-key": "A key that the format does not have.",
    MissingKey = "missing-key": "A key that must be there is missing.",
    DuplicateKey = "duplicate-key": "A key stands twice in one mapping.",
    WrongType = "wrong-type": "A value has the wrong form.",
    BadValue = "bad-value": "A value is not one of those that are accepted.",
    UnquotedTemplate = "unquoted-template": "A template stands where YAML reads it as a mapping: it must be quoted.",
    NotOneVerb = "not-one-verb": "A step must have exactly one verb.",
    ReservedVerb = "reserved-verb": "The format reserves this verb; this version does not carry it out.",
    MisplacedKey = "misplaced-key": "A key that is right elsewhere stands where it has no effect.",
    DuplicateStep = "duplicate-step": "Two steps have the same id.",
    UnknownStep = "unknown-step": "A step refers to a step that the runbook does not have.",
    WrongStep = "wrong-step": "A step refers to a step whose verb does not fit.",
    Cycle = "cycle": "Steps wait for each other in a circle.",
    AssertsNothing = "asserts-nothing": "A check that can never fail.",
    NoNamespace = "no-namespace": "Nothing says in which namespace an object is.",
    TwoNamespaces = "two-namespaces": "An object is given two different namespaces.",
    MissingFile = "missing-file": "A file that the runbook names cannot be read.",
    BadManifest = "bad-manifest": "A manifest is not a Kubernetes object.",
    BadPattern = "bad-pattern": "A regular expression, a pattern or a path cannot be read.",
    NearMissToken = "near-miss-token": "Text in brackets that is almost a token.",
    BadTemplate = "bad-template": "A template cannot be read.",
    UnknownName = "unknown-name": "A template or condition uses a name that the runbook does not have.",
    UnknownHelper = "unknown-helper": "A template uses a helper that does not exist.",
    CaptureUpstream = "capture-upstream": "A capture is used by a step that may run before it is taken.",
    CaptureTaken = "capture-taken": "A name is given to two captures, or to a capture and a parameter.",
    ShellQuoting = "shell-quoting": "A value in a shell script stands where it cannot be quoted safely.",
    ShellVariable = "shell-variable": "A shell script uses a parameter as a shell variable, which is not set.",
    BadCondition = "bad-condition": "A condition is not a valid CEL expression.",
    TooLong = "too-long": "A template, condition or script is longer or deeper than the format allows.",
    BadParameter = "bad-parameter": "A parameter's declaration contradicts itself.",
    UnknownParameter = "unknown-parameter": "A value was given for a parameter that the runbook does not have.",
    MissingParameter = "missing-parameter": "A parameter has no value.",
    InvalidParameter = "invalid-parameter": "A parameter's value is not of its type.",
    BadArgument = "bad-argument": "The command line asks for something that does not fit the runbook.",
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
