//! The syntax tree of a script.
//!
//! Invariant: it holds what was written, expanded nowhere; every list that may run on its own is shared, never copied.

use std::sync::{Arc, OnceLock};

/// A word: pieces that are expanded and joined.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    pub(super) parts: Vec<Part>,
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Unquoted text, in which patterns and a tilde count.
    Text(String),
    /// Text that stands for itself.
    Quoted(String),
    /// What stands in double quotes.
    Double(Vec<Part>),
    /// `$x` and its like.
    Param(Box<Param>),
    /// `$(...)` and backquotes.
    Command(Arc<Node>),
    /// `$((...))`
    Arithmetic(Vec<Part>),
}

/// A parameter expansion.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Param {
    /// A name, a digit sequence or a special character.
    pub(super) name: String,
    /// The subscript of an array, as in bash's `${a[1]}`.
    pub(super) index: Option<Word>,
    pub(super) op: Op,
}

/// What an expansion does with the parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    Plain,
    /// `${#x}`
    Length,
    /// `${x-word}`; with `colon` an empty value counts as none.
    Default {
        colon: bool,
        word: Word,
    },
    /// `${x=word}`
    Assign {
        colon: bool,
        word: Word,
    },
    /// `${x?word}`
    Error {
        colon: bool,
        word: Word,
    },
    /// `${x+word}`
    Alternative {
        colon: bool,
        word: Word,
    },
    /// `${x#pattern}`, `${x##pattern}`, `${x%pattern}`, `${x%%pattern}`
    Trim {
        suffix: bool,
        longest: bool,
        pattern: Word,
    },
    /// `${x:offset:length}`
    Substring {
        offset: Word,
        length: Option<Word>,
    },
    /// `${x/pattern/text}`
    Replace {
        pattern: Word,
        with: Word,
        all: bool,
        anchor: Option<char>,
    },
    /// `${x^^}`, `${x,,}`, `${x^}`, `${x,}`
    Case {
        upper: bool,
        all: bool,
    },
    /// `${!x}`
    Indirect,
    /// `${!x[@]}`
    Keys,
    /// A form that the shell does not know.
    Bad,
}

/// `name=value`, `name+=value`, `name[index]=value` or `name=(values)`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) index: Option<Word>,
    pub(super) append: bool,
    pub(super) value: AssignedValue,
}

/// What is assigned.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum AssignedValue {
    Scalar(Word),
    List(Vec<Word>),
}

/// A redirection.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Redirect {
    /// The descriptor before the operator, if any.
    pub(super) number: Option<u32>,
    pub(super) kind: RedirectKind,
    pub(super) target: Target,
}

/// What a redirection leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Word(Word),
    /// The text of a here-document, which is read after the line that asks for it.
    Document(Arc<OnceLock<Word>>),
}

/// The operator of a redirection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RedirectKind {
    Input,
    Output,
    Clobber,
    Append,
    ReadWrite,
    DuplicateInput,
    DuplicateOutput,
    /// `<<`; the target is the document.
    Here,
    /// bash's `<<<`
    HereString,
    /// `&>`
    Both,
    /// `&>>`
    BothAppend,
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Simple {
    pub(super) line: usize,
    pub(super) assignments: Vec<Assignment>,
    pub(super) words: Vec<Word>,
    pub(super) redirects: Vec<Redirect>,
}

/// A command of any kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Simple(Simple),
    Pipeline(Vec<Node>),
    Not(Box<Node>),
    /// `time` before a pipeline.
    Timed(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    List(Vec<Node>),
    /// A command in the background, with its text.
    Background(Arc<Node>, String),
    Compound {
        line: usize,
        body: Box<Compound>,
        redirects: Vec<Redirect>,
    },
    Function {
        name: String,
        body: Arc<Node>,
    },
}

/// A compound command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Compound {
    Group(Node),
    Subshell(Node),
    If {
        branches: Vec<(Node, Node)>,
        otherwise: Option<Node>,
    },
    Loop {
        condition: Node,
        body: Node,
        until: bool,
    },
    For {
        name: String,
        words: Option<Vec<Word>>,
        body: Node,
    },
    Case {
        word: Word,
        items: Vec<CaseItem>,
    },
    /// bash's `(( ))`
    Arithmetic(Vec<Part>),
    /// bash's `for (( ; ; ))`
    ArithmeticFor {
        start: Vec<Part>,
        condition: Vec<Part>,
        step: Vec<Part>,
        body: Node,
    },
    /// bash's `[[ ]]`
    Test(Test),
}

/// One branch of `case`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CaseItem {
    pub(super) patterns: Vec<Word>,
    pub(super) body: Option<Node>,
    /// Ended by `;&`, it goes on with the next branch's body.
    pub(super) falls_through: bool,
}

/// An expression of `[[ ]]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Word(Word),
    Unary(String, Word),
    Binary(Word, String, Word),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}
