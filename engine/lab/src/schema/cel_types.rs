//! What can be told of a CEL expression without evaluating it: names and fields that do not exist, and types that never fit.
//!
//! Invariant: only what is certain is reported; where a type is not known, anything goes.

use kube_cel::cel::Program;
use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

use super::cel_values::escaped;
use super::node::{Node, NodeType};

/// The functions and macros of CEL in CRDs, as Kubernetes 1.36 declares them; operators begin with a sign.
const FUNCTIONS: [&str; 160] = [
    "abs",
    "add",
    "addAll",
    "all",
    "allowed",
    "annotations",
    "asApproximateFloat",
    "asInteger",
    "bind",
    "bool",
    "byte",
    "bytes",
    "ceil",
    "charAt",
    "check",
    "cidr",
    "compareTo",
    "contains",
    "containsCIDR",
    "containsIP",
    "date",
    "datetime",
    "decode",
    "distinct",
    "dns1035Label",
    "dns1035LabelPrefix",
    "dns1123Label",
    "dns1123LabelPrefix",
    "dns1123Subdomain",
    "dns1123SubdomainPrefix",
    "double",
    "duration",
    "dyn",
    "encode",
    "endsWith",
    "equivalent",
    "error",
    "errored",
    "escapeKey",
    "exists",
    "existsOne",
    "exists_one",
    "family",
    "fieldSelector",
    "filter",
    "find",
    "findAll",
    "first",
    "flatten",
    "floor",
    "format",
    "get",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getEscapedPath",
    "getFullYear",
    "getHost",
    "getHostname",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getPort",
    "getQuery",
    "getScheme",
    "getSeconds",
    "greatest",
    "group",
    "has",
    "hasValue",
    "indexOf",
    "int",
    "intersects",
    "ip",
    "isCIDR",
    "isCanonical",
    "isFinite",
    "isGlobalUnicast",
    "isGreaterThan",
    "isIP",
    "isInf",
    "isInteger",
    "isLessThan",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isNaN",
    "isQuantity",
    "isSemver",
    "isSorted",
    "isURL",
    "isUnspecified",
    "join",
    "labelSelector",
    "labelValue",
    "last",
    "lastIndexOf",
    "least",
    "lowerAscii",
    "major",
    "map",
    "masked",
    "matches",
    "max",
    "min",
    "minor",
    "name",
    "named",
    "namespace",
    "none",
    "of",
    "ofNonZeroValue",
    "optFlatMap",
    "optMap",
    "or",
    "orValue",
    "patch",
    "path",
    "prefixLength",
    "qualifiedName",
    "quantity",
    "quote",
    "range",
    "reason",
    "replace",
    "resource",
    "reverse",
    "round",
    "semver",
    "serviceAccount",
    "sign",
    "size",
    "slice",
    "sort",
    "sortBy",
    "split",
    "startsWith",
    "string",
    "sub",
    "subresource",
    "substring",
    "sum",
    "timestamp",
    "transformList",
    "transformMap",
    "transformMapEntry",
    "trim",
    "trunc",
    "type",
    "uint",
    "unwrap",
    "unwrapOpt",
    "upperAscii",
    "uri",
    "url",
    "uuid",
    "validate",
    "value",
];

/// What an expression may be.
#[derive(Clone, Copy, Debug)]
enum Type<'a> {
    Unknown,
    Scalar(&'static str),
    /// A value that the schema describes.
    Schema(Node<'a>),
}

/// A syntax error in the words of cel-go.
pub(super) fn syntax_error(prefix: &str, problem: &str) -> String {
    format!("{prefix}compilation failed: {}", problem.replace("\n| ", "\n | "))
}

/// The first certain problem of an expression that must come out as `wanted`; `self` is a value at `node`.
pub(super) fn problem(
    program: &Program,
    expression: &str,
    node: Node<'_>,
    optional_old_self: bool,
    wanted: &str,
) -> Option<String> {
    let prefix = if wanted == "string" { "messageExpression " } else { "" };
    let old_self = if optional_old_self { Type::Unknown } else { Type::Schema(node) };
    let mut check = Check { expression, problems: Vec::new() };
    let scope = [("self".to_owned(), Type::Schema(node)), ("oldSelf".to_owned(), old_self)];
    let found = check.expression(program.expression(), &scope);
    if let Some(problem) = check.problems.first() {
        return Some(format!("{prefix}compilation failed: {problem}"));
    }
    let found = found.name();
    if found.is_empty() || found == wanted {
        return None;
    }
    Some(match wanted {
        "string" => "messageExpression must evaluate to a string".to_owned(),
        _ => "cel expression must evaluate to a bool".to_owned(),
    })
}

impl<'a> Type<'a> {
    /// The name of a type that is certain; empty otherwise.
    fn name(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Scalar(name) => name,
            Self::Schema(node) => match (node.node_type(), node.text("format")) {
                (NodeType::String, "date" | "date-time") => "google.protobuf.Timestamp",
                (NodeType::String, "duration") => "google.protobuf.Duration",
                (NodeType::String, "byte") => "bytes",
                (NodeType::String, _) => "string",
                (NodeType::Integer, _) => "int",
                (NodeType::Number, _) => "double",
                (NodeType::Boolean, _) => "bool",
                _ => "",
            },
        }
    }
}

struct Check<'e> {
    expression: &'e str,
    problems: Vec<String>,
}

type Scope<'s, 'a> = &'s [(String, Type<'a>)];

impl Check<'_> {
    fn report(&mut self, column: usize, problem: &str) {
        let line = self.expression.lines().next().unwrap_or_default();
        let dots = ".".repeat(column.saturating_sub(1));
        self.problems.push(format!("ERROR: <input>:1:{column}: {problem}\n | {line}\n | {dots}^"));
    }

    /// The column of `text` where it stands as a word.
    fn column(&self, text: &str) -> usize {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let found = self.expression.match_indices(text).find(|(at, _)| {
            let after = self.expression[at + text.len()..].chars().next();
            let before = self.expression[..*at].chars().next_back();
            !after.is_some_and(is_word) && (!text.starts_with(is_word) || !before.is_some_and(is_word))
        });
        found.map_or(1, |(at, _)| self.expression[..at].chars().count() + 1)
    }

    fn expression<'a>(&mut self, expression: &IdedExpr, scope: Scope<'_, 'a>) -> Type<'a> {
        match &expression.expr {
            Expr::Ident(name) => self.name(name, scope),
            Expr::Select(select) => self.select(select, scope),
            Expr::Call(call) => self.call(call, scope),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, scope),
            Expr::Literal(literal) => Type::Scalar(match literal {
                LiteralValue::Boolean(_) => "bool",
                LiteralValue::Bytes(_) => "bytes",
                LiteralValue::Double(_) => "double",
                LiteralValue::Int(_) => "int",
                LiteralValue::String(_) => "string",
                LiteralValue::UInt(_) => "uint",
                LiteralValue::Null => return Type::Unknown,
            }),
            Expr::List(list) => {
                for element in &list.elements {
                    self.expression(element, scope);
                }
                Type::Unknown
            }
            _ => Type::Unknown,
        }
    }

    fn name<'a>(&mut self, name: &str, scope: Scope<'_, 'a>) -> Type<'a> {
        const TYPES: [&str; 13] = [
            "int",
            "uint",
            "double",
            "bool",
            "string",
            "bytes",
            "list",
            "map",
            "null_type",
            "type",
            "optional",
            "google",
            "cel",
        ];
        if let Some((_, found)) = scope.iter().rev().find(|(known, _)| known == name) {
            return *found;
        }
        let is_library =
            TYPES.contains(&name) || matches!(name, "math" | "sets" | "strings" | "base64" | "format" | "semver");
        if !is_library && !name.starts_with(['@', '_']) {
            self.report(self.column(name), &format!("undeclared reference to '{name}' (in container '')"));
        }
        Type::Unknown
    }

    fn select<'a>(&mut self, select: &SelectExpr, scope: Scope<'_, 'a>) -> Type<'a> {
        let operand = self.expression(&select.operand, scope);
        let Type::Schema(node) = operand else { return Type::Unknown };
        let found = match node.node_type() {
            NodeType::Object if node.keyword("additionalProperties").is_some() => {
                node.additional().map_or(Type::Unknown, Type::Schema)
            }
            NodeType::Object => {
                let Some(member) = member(node, &select.field) else {
                    let column = self.column(&format!(".{}", select.field));
                    let column = if select.test { self.column("has") + 3 } else { column };
                    self.report(column, &format!("undefined field '{}'", select.field));
                    return Type::Unknown;
                };
                Type::Schema(member)
            }
            NodeType::Any | NodeType::IntOrString => Type::Unknown,
            _ => {
                let name = operand.name();
                if !name.is_empty() {
                    let column = self.column(&format!(".{}", select.field));
                    self.report(column, &format!("type '{name}' does not support field selection"));
                }
                Type::Unknown
            }
        };
        if select.test { Type::Scalar("bool") } else { found }
    }

    fn call<'a>(&mut self, call: &CallExpr, scope: Scope<'_, 'a>) -> Type<'a> {
        let before = self.problems.len();
        let name = call.func_name.rsplit('.').next().unwrap_or_default();
        let is_function = name.starts_with(|letter: char| letter.is_alphabetic());
        if is_function && !FUNCTIONS.contains(&name) {
            let column = self.column(name) + name.chars().count();
            self.report(column, &format!("undeclared reference to '{name}' (in container '')"));
        }
        let target = call.target.as_ref().map(|target| self.expression(target, scope));
        let args: Vec<Type<'a>> = call.args.iter().map(|arg| self.expression(arg, scope)).collect();
        let (operator, comparing) = match call.func_name.as_str() {
            "_==_" => ("==", true),
            "_!=_" => ("!=", true),
            "_<_" => ("<", true),
            "_<=_" => ("<=", true),
            "_>_" => (">", true),
            "_>=_" => (">=", true),
            "_+_" => ("+", false),
            "_-_" => ("-", false),
            "_*_" => ("*", false),
            "_&&_" | "_||_" | "!_" | "@in" => return Type::Scalar("bool"),
            "_[_]" => return index(args.first().copied()),
            "startsWith" | "endsWith" | "contains" | "matches" | "isURL" | "isQuantity" | "isIP" | "isCIDR" => {
                return Type::Scalar("bool");
            }
            "size" => return Type::Scalar("int"),
            "string" if target.is_none() => return Type::Scalar("string"),
            "int" if target.is_none() => return Type::Scalar("int"),
            _ => return Type::Unknown,
        };
        let [left, right] = args.as_slice() else { return Type::Unknown };
        let (left, right) = (left.name(), right.name());
        let known = !left.is_empty() && !right.is_empty();
        let numbers = ["int", "uint", "double"];
        let ordered = operator.starts_with(['<', '>']) && numbers.contains(&left) && numbers.contains(&right);
        let time = |name: &str| name.starts_with("google.");
        if known && left != right && !ordered && !(time(left) && time(right)) && self.problems.len() == before {
            let column = self.expression.find(operator).map_or(1, |at| self.expression[..at].chars().count() + 1);
            let name = &call.func_name;
            self.report(column, &format!("found no matching overload for '{name}' applied to '({left}, {right})'"));
        }
        match (comparing, left) {
            (true, _) => Type::Scalar("bool"),
            (false, left) if known && left == right && !time(left) => Type::Scalar(left),
            _ => Type::Unknown,
        }
    }

    fn comprehension<'a>(&mut self, one: &ComprehensionExpr, scope: Scope<'_, 'a>) -> Type<'a> {
        let range = self.expression(&one.iter_range, scope);
        let item = match range {
            Type::Schema(node) if node.node_type() == NodeType::Array => {
                node.items().map_or(Type::Unknown, Type::Schema)
            }
            Type::Schema(node) if node.node_type() == NodeType::Object => Type::Scalar("string"),
            _ => Type::Unknown,
        };
        let mut inner = scope.to_vec();
        inner.push((one.iter_var.clone(), item));
        inner.extend(one.iter_var2.iter().map(|name| (name.clone(), Type::Unknown)));
        inner.push((one.accu_var.clone(), Type::Unknown));
        self.expression(&one.loop_step, &inner);
        match &one.accu_init.expr {
            Expr::Literal(LiteralValue::Boolean(_)) => Type::Scalar("bool"),
            _ => Type::Unknown,
        }
    }
}

fn index<'a>(operand: Option<Type<'a>>) -> Type<'a> {
    match operand {
        Some(Type::Schema(node)) => node.items().or_else(|| node.additional()).map_or(Type::Unknown, Type::Schema),
        _ => Type::Unknown,
    }
}

/// The member that a rule calls `name`.
fn member<'a>(node: Node<'a>, name: &str) -> Option<Node<'a>> {
    if node.is_resource() && matches!(name, "metadata" | "kind" | "apiVersion") {
        return node.property(name);
    }
    node.properties().find(|(known, _)| escaped(known) == name).map(|(_, member)| member)
}
