//! bash's `[[ ]]`.
//!
//! Invariant: words in it are neither split nor matched with files.

use super::ast::{Compound, Part, Test, Word};
use super::fields;
use super::lexer::Token;
use super::parser::{Fault, KEYWORDS, PLAIN, Parser};
use super::pattern::Pattern;
use super::state::{Flow, Shell, Stop};
use crate::process::Exit;
use futures::future::BoxFuture;

const UNARY: [&str; 22] = [
    "-n", "-z", "-e", "-f", "-d", "-r", "-w", "-x", "-s", "-L", "-h", "-p", "-S", "-b", "-c", "-t", "-v", "-u", "-g",
    "-k", "-O", "-G",
];
const BINARY: [&str; 14] = ["==", "=", "!=", "=~", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot"];

impl Parser {
    /// What follows `[[`.
    pub(super) fn test_command(&mut self) -> Result<Compound, Fault> {
        let test = self.test_or()?;
        let token = self.token(KEYWORDS)?;
        match &token {
            Token::Word(lexed) if lexed.plain() == Some("]]") => Ok(Compound::Test(test)),
            _ => Err(self.odd_test()),
        }
    }

    fn odd_test(&self) -> Fault {
        Fault::NotSimulated("bash's complaint about this [[ ]]".to_owned())
    }

    fn test_or(&mut self) -> Result<Test, Fault> {
        let mut left = self.test_and()?;
        while self.test_takes("||")? {
            left = Test::Or(Box::new(left), Box::new(self.test_and()?));
        }
        Ok(left)
    }

    fn test_and(&mut self) -> Result<Test, Fault> {
        let mut left = self.test_primary()?;
        while self.test_takes("&&")? {
            left = Test::And(Box::new(left), Box::new(self.test_primary()?));
        }
        Ok(left)
    }

    fn test_takes(&mut self, operator: &str) -> Result<bool, Fault> {
        let token = self.token(KEYWORDS)?;
        let found = matches!(&token, Token::Op(text) if *text == operator);
        if !found {
            self.pushed = Some(token);
        }
        Ok(found)
    }

    fn test_primary(&mut self) -> Result<Test, Fault> {
        self.deeper()?;
        let test = self.test_operand();
        self.depth -= 1;
        test
    }

    fn test_operand(&mut self) -> Result<Test, Fault> {
        match self.token(KEYWORDS)? {
            Token::Keyword("!") => Ok(Test::Not(Box::new(self.test_primary()?))),
            Token::Op("(") => {
                let test = self.test_or()?;
                if self.test_takes(")")? { Ok(test) } else { Err(self.odd_test()) }
            }
            Token::Keyword(text) => self.test_after(Word { parts: vec![Part::Text(text.to_owned())] }),
            Token::Word(lexed) => {
                let operator = lexed.plain().filter(|text| UNARY.contains(text)).map(str::to_owned);
                match operator {
                    Some(operator) => {
                        let token = self.token(PLAIN)?;
                        match token {
                            Token::Word(operand) if operand.plain() != Some("]]") => {
                                Ok(Test::Unary(operator, operand.word))
                            }
                            _ => Err(self.odd_test()),
                        }
                    }
                    None if lexed.plain() == Some("]]") => Err(self.odd_test()),
                    None => self.test_after(lexed.word),
                }
            }
            _ => Err(self.odd_test()),
        }
    }

    /// What follows the first word of a test.
    fn test_after(&mut self, left: Word) -> Result<Test, Fault> {
        let token = self.token(KEYWORDS)?;
        let operator = match &token {
            Token::Word(lexed) => lexed.plain().filter(|text| BINARY.contains(text)).map(str::to_owned),
            Token::Redirect(None, super::ast::RedirectKind::Input, _) => Some("<".to_owned()),
            Token::Redirect(None, super::ast::RedirectKind::Output, _) => Some(">".to_owned()),
            _ => None,
        };
        let Some(operator) = operator else {
            self.pushed = Some(token);
            return Ok(Test::Word(left));
        };
        if operator == "=~" {
            let right = self.regex_word()?;
            return Ok(Test::Binary(left, operator, right));
        }
        match self.token(PLAIN)? {
            Token::Word(right) => Ok(Test::Binary(left, operator, right.word)),
            _ => Err(self.odd_test()),
        }
    }
}

impl Shell {
    pub(super) fn conditional<'a>(&'a mut self, test: &'a Test) -> BoxFuture<'a, Flow> {
        Box::pin(async move { Ok(u8::from(!self.holds(test).await?)) })
    }

    fn holds<'a>(&'a mut self, test: &'a Test) -> BoxFuture<'a, Result<bool, Stop>> {
        Box::pin(async move {
            Ok(match test {
                Test::Word(word) => !self.single(word).await?.is_empty(),
                Test::Not(test) => !self.holds(test).await?,
                Test::And(left, right) => self.holds(left).await? && self.holds(right).await?,
                Test::Or(left, right) => self.holds(left).await? || self.holds(right).await?,
                Test::Unary(operator, word) => {
                    let text = self.single(word).await?;
                    match operator.as_str() {
                        "-n" => !text.is_empty(),
                        "-z" => text.is_empty(),
                        "-v" => self.var(&text).is_some(),
                        operator => self.as_program(&[operator, &text]).await?,
                    }
                }
                Test::Binary(left, operator, right) => self.compare(left, operator, right).await?,
            })
        })
    }

    async fn compare(&mut self, left: &Word, operator: &str, right: &Word) -> Result<bool, Stop> {
        let left = self.single(left).await?;
        Ok(match operator {
            "==" | "=" | "!=" => {
                let field = self.single_field(right).await?;
                Pattern::new(&fields::chars(&field)).matches(&left) == (operator != "!=")
            }
            "=~" => return self.regex_matches(&left, right).await,
            "<" => left < self.single(right).await?,
            ">" => left > self.single(right).await?,
            "-nt" | "-ot" => {
                let right = self.single(right).await?;
                self.as_program(&[&left, operator, &right]).await?
            }
            operator => {
                let right = self.single(right).await?;
                let (left, right) = (self.evaluate(&left).await?, self.evaluate(&right).await?);
                match operator {
                    "-eq" => left == right,
                    "-ne" => left != right,
                    "-lt" => left < right,
                    "-le" => left <= right,
                    "-gt" => left > right,
                    _ => left >= right,
                }
            }
        })
    }

    /// `=~`: an extended regular expression, in which quoted text stands for itself.
    async fn regex_matches(&mut self, text: &str, right: &Word) -> Result<bool, Stop> {
        let field = self.single_field(right).await?;
        let pattern: String = field
            .iter()
            .map(|piece| if piece.quoted { regex::escape(&piece.text) } else { piece.text.clone() })
            .collect();
        let Some(regex) = crate::programs::extended_regex(&pattern) else {
            return Err(Stop::not_simulated(format!("the regular expression {pattern}")));
        };
        let Some(found) = regex.captures(text.as_bytes()) else { return Ok(false) };
        let groups: Vec<String> = found
            .iter()
            .map(|group| group.map(|group| String::from_utf8_lossy(group.as_bytes()).into_owned()).unwrap_or_default())
            .collect();
        self.assign_list("BASH_REMATCH", groups, false).await?;
        Ok(true)
    }

    /// What `test` says.
    async fn as_program(&mut self, words: &[&str]) -> Result<bool, Stop> {
        let mut process = self.process.clone();
        process.argv = ["test"].iter().chain(words).map(|&word| word.to_owned()).collect();
        match crate::programs::find("test", "test") {
            Some(main) => match main(process).await {
                Exit::Code(code) => Ok(code == 0),
                exit => Err(Stop::End(exit)),
            },
            None => Ok(false),
        }
    }
}
