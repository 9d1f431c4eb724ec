//! `$(( ))`: 64-bit integers with wrap-around.
//!
//! Invariant: a division by zero or a malformed number ends the shell as it does in life, never the lab.

use super::parse;
use super::state::{Shell, Stop};
use brush_parser::ast::{ArithmeticExpr, ArithmeticTarget, BinaryOperator, UnaryAssignmentOperator, UnaryOperator};

/// Why an expression has no value.
enum Fault {
    DivisionByZero,
    IllegalNumber(String),
    Unset(String),
    NotSimulated(&'static str),
}

impl Shell {
    /// The value of an expression in which parameters are already expanded.
    pub(super) async fn evaluate(&mut self, text: &str) -> Result<i64, Stop> {
        let Some(tree) = parse::arithmetic(text)? else {
            let message = if self.is_busybox() {
                "arithmetic syntax error".to_owned()
            } else {
                format!("arithmetic expression: expecting primary: \"{text}\"")
            };
            return Err(self.fatal(message).await);
        };
        match self.value(&tree) {
            Ok(value) => Ok(value),
            Err(Fault::NotSimulated(what)) => Err(Stop::not_simulated(what)),
            Err(Fault::IllegalNumber(number)) if self.is_busybox() => {
                Err(Stop::not_simulated(format!("arithmetic on {number:?}")))
            }
            Err(Fault::IllegalNumber(number)) => Err(self.fatal(format!("Illegal number: {number}")).await),
            Err(Fault::Unset(name)) => Err(self.fatal(format!("{name}: parameter not set")).await),
            Err(Fault::DivisionByZero) if self.is_busybox() => Err(self.fatal("divide by zero".to_owned()).await),
            Err(Fault::DivisionByZero) => {
                Err(self.fatal(format!("arithmetic expression: division by zero: \"{text}\"")).await)
            }
        }
    }

    fn value(&mut self, tree: &ArithmeticExpr) -> Result<i64, Fault> {
        Ok(match tree {
            ArithmeticExpr::Literal(value) => *value,
            ArithmeticExpr::Reference(target) => self.read_number(target)?,
            ArithmeticExpr::UnaryOp(operator, operand) => {
                let value = self.value(operand)?;
                match operator {
                    UnaryOperator::UnaryPlus => value,
                    UnaryOperator::UnaryMinus => value.wrapping_neg(),
                    UnaryOperator::BitwiseNot => !value,
                    UnaryOperator::LogicalNot => i64::from(value == 0),
                }
            }
            ArithmeticExpr::BinaryOp(BinaryOperator::LogicalAnd, left, right) => {
                i64::from(self.value(left)? != 0 && self.value(right)? != 0)
            }
            ArithmeticExpr::BinaryOp(BinaryOperator::LogicalOr, left, right) => {
                i64::from(self.value(left)? != 0 || self.value(right)? != 0)
            }
            ArithmeticExpr::BinaryOp(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                apply(operator, left, right)?
            }
            ArithmeticExpr::Conditional(condition, yes, no) => {
                if self.value(condition)? != 0 {
                    self.value(yes)?
                } else {
                    self.value(no)?
                }
            }
            ArithmeticExpr::Assignment(target, value) => {
                let value = self.value(value)?;
                self.write_number(target, value)?
            }
            ArithmeticExpr::BinaryAssignment(operator, target, value) => {
                let (old, value) = (self.read_number(target)?, self.value(value)?);
                self.write_number(target, apply(operator, old, value)?)?
            }
            ArithmeticExpr::UnaryAssignment(operator, target) => {
                if !self.is_busybox() {
                    return Err(Fault::NotSimulated("++ and -- in dash's arithmetic"));
                }
                let old = self.read_number(target)?;
                match operator {
                    UnaryAssignmentOperator::PrefixIncrement => self.write_number(target, old.wrapping_add(1))?,
                    UnaryAssignmentOperator::PrefixDecrement => self.write_number(target, old.wrapping_sub(1))?,
                    UnaryAssignmentOperator::PostfixIncrement => {
                        self.write_number(target, old.wrapping_add(1))?;
                        old
                    }
                    UnaryAssignmentOperator::PostfixDecrement => {
                        self.write_number(target, old.wrapping_sub(1))?;
                        old
                    }
                }
            }
        })
    }

    fn read_number(&self, target: &ArithmeticTarget) -> Result<i64, Fault> {
        let ArithmeticTarget::Variable(name) = target else {
            return Err(Fault::NotSimulated("arrays in arithmetic"));
        };
        match self.var(name) {
            None if self.options.nounset => Err(Fault::Unset(name.clone())),
            None | Some("") => Ok(0),
            Some(text) => number(text).ok_or_else(|| Fault::IllegalNumber(text.to_owned())),
        }
    }

    fn write_number(&mut self, target: &ArithmeticTarget, value: i64) -> Result<i64, Fault> {
        let ArithmeticTarget::Variable(name) = target else {
            return Err(Fault::NotSimulated("arrays in arithmetic"));
        };
        let variable = self.vars.entry(name.clone()).or_default();
        if variable.readonly {
            return Err(Fault::NotSimulated("assigning to a read-only variable in arithmetic"));
        }
        variable.value = Some(value.to_string());
        Ok(value)
    }
}

/// A number as a shell reads it: decimal, octal with a leading zero, hexadecimal with `0x`.
fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else if digits.starts_with(|c: char| c.is_ascii_digit()) {
        digits.parse().ok()?
    } else {
        return None;
    };
    Some(if negative { -value } else { value })
}

fn apply(operator: &BinaryOperator, left: i64, right: i64) -> Result<i64, Fault> {
    Ok(match operator {
        BinaryOperator::Power => return Err(Fault::NotSimulated("** in arithmetic")),
        BinaryOperator::Multiply => left.wrapping_mul(right),
        BinaryOperator::Divide | BinaryOperator::Modulo if right == 0 => return Err(Fault::DivisionByZero),
        BinaryOperator::Divide => left.wrapping_div(right),
        BinaryOperator::Modulo => left.wrapping_rem(right),
        BinaryOperator::Comma => right,
        BinaryOperator::Add => left.wrapping_add(right),
        BinaryOperator::Subtract => left.wrapping_sub(right),
        // The processor takes the count modulo 64.
        BinaryOperator::ShiftLeft => left.wrapping_shl((right & 63) as u32),
        BinaryOperator::ShiftRight => left.wrapping_shr((right & 63) as u32),
        BinaryOperator::LessThan => i64::from(left < right),
        BinaryOperator::LessThanOrEqualTo => i64::from(left <= right),
        BinaryOperator::GreaterThan => i64::from(left > right),
        BinaryOperator::GreaterThanOrEqualTo => i64::from(left >= right),
        BinaryOperator::Equals => i64::from(left == right),
        BinaryOperator::NotEquals => i64::from(left != right),
        BinaryOperator::BitwiseAnd => left & right,
        BinaryOperator::BitwiseXor => left ^ right,
        BinaryOperator::BitwiseOr => left | right,
        BinaryOperator::LogicalAnd => i64::from(left != 0 && right != 0),
        BinaryOperator::LogicalOr => i64::from(left != 0 || right != 0),
    })
}
