//! Whether a template can be parsed and drawn at all: the engine recurses once per operator and once per level of a
//! value, and a stack overflow would end the process, for every tenant.
//!
//! Fuel pays for instructions and text, but not for operations on a value: forty lines that each put a list twice into
//! the next one make a value too large to print. So lists of a template hold constants, and nothing combines lists: neither an operator,
//! nor what [`language`] has.

use minijinja::machinery::{Token, tokenize};

use super::language;

/// The most tokens between `{{` and `}}`, or `{%` and `%}`. Each may need one or two kilobytes of stack, of which a
/// thread has two megabytes.
const MOST_TOKENS: usize = 400;
/// The most `elif` of one template: they nest in each other, whatever is between them.
const MOST_BRANCHES: usize = 100;
/// Words after which a bracket opens a new list.
const BEFORE_VALUES: [&str; 6] = ["in", "not", "and", "or", "if", "else"];

/// What a bracket holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    /// Members of a list or mapping.
    Literal,
    /// The index into a list.
    Place,
    /// Arguments of a call.
    Call,
    /// An expression.
    Group,
}

/// One pair of `{{` and `}}`, or of `{%` and `%}`, as far as it has been read.
#[derive(Default)]
struct Part {
    tokens: usize,
    open: Vec<Bracket>,
    /// Whether a value has just ended, to which a bracket would then belong.
    after_value: bool,
    is_set: bool,
    is_assigned: bool,
    expects: Expected,
}

/// What the next word names.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Expected {
    #[default]
    Anything,
    Filter,
    Test,
}

/// Checks a template before it is parsed. Does not recurse, and takes no longer than reading it once.
///
/// Errors: a sentence that names the line.
pub(super) fn check(source: &str) -> Result<(), String> {
    let (mut part, mut branches) = (Part::default(), 0);
    for token in tokenize(source, false, Default::default()) {
        // What cannot be tokenized is left to the parser, which gets no further than this.
        let Ok((token, span)) = token else { return Ok(()) };
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => part = Part::default(),
            Token::Ident("elif") => branches += 1,
            _ => {}
        }
        part.read(&token).map_err(|reason| format!("line {}: {reason}", span.start_line))?;
        if branches > MOST_BRANCHES {
            return Err(format!("line {}: more than {MOST_BRANCHES} times elif", span.start_line));
        }
    }
    Ok(())
}

impl Part {
    fn read(&mut self, token: &Token<'_>) -> Result<(), String> {
        let is_literal = self.open.contains(&Bracket::Literal);
        self.expect(token)?;
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => return Ok(()),
            Token::BracketOpen => self.open.push(if self.after_value { Bracket::Place } else { Bracket::Literal }),
            Token::ParenOpen => self.open.push(if self.after_value { Bracket::Call } else { Bracket::Group }),
            Token::BraceOpen => self.open.push(Bracket::Literal),
            Token::BracketClose | Token::ParenClose | Token::BraceClose => drop(self.open.pop()),
            Token::Ident("import" | "from") if self.tokens == 0 => {
                return Err("templates are included, not imported".to_owned());
            }
            Token::Ident("set") if self.tokens == 0 => self.is_set = true,
            Token::Ident(word) if is_literal && !is_constant(word) => {
                return Err(format!("a list of the template holds constants, and {word:?} is none"));
            }
            // It would keep its argument, and thereby possibly itself.
            Token::Ident("changed") => return Err("loop.changed is not there".to_owned()),
            Token::Assign => self.is_assigned = true,
            Token::Comma if self.makes_a_list() => return Err("a list stands in square brackets".to_owned()),
            Token::Colon if self.open.last() == Some(&Bracket::Place) => {
                return Err("parts of a list cannot be taken".to_owned());
            }
            Token::Plus | Token::Mul => return Err("there is no + and no *; texts are joined with ~".to_owned()),
            _ => {}
        }
        self.after_value = match token {
            Token::Ident(word) => !BEFORE_VALUES.contains(word),
            Token::BracketClose | Token::ParenClose | Token::BraceClose => true,
            Token::Str(_) | Token::String(_) => true,
            _ => false,
        };
        self.tokens += 1;
        if self.tokens > MOST_TOKENS {
            return Err(format!("more than {MOST_TOKENS} words and marks in one expression"));
        }
        Ok(())
    }

    /// Whether there is a filter or a test of this name, where one is named.
    fn expect(&mut self, token: &Token<'_>) -> Result<(), String> {
        let Token::Ident(word) = token else {
            self.expects = if matches!(token, Token::Pipe) { Expected::Filter } else { Expected::Anything };
            return Ok(());
        };
        self.expects = match (self.expects, *word) {
            (Expected::Test, "not") => Expected::Test,
            (Expected::Test, test) if !language::TESTS.contains(&test) => {
                return Err(format!("there is no test {test:?}; there are {}", language::TESTS.join(", ")));
            }
            (Expected::Filter, filter) if !language::FILTERS.contains(&filter) => {
                return Err(format!("there is no filter {filter:?}; there are {}", language::FILTERS.join(", ")));
            }
            (Expected::Anything, "is") if self.after_value => Expected::Test,
            (Expected::Anything, "filter") if self.tokens == 0 => Expected::Filter,
            _ => Expected::Anything,
        };
        Ok(())
    }

    /// Whether a comma here separates members of a list without square brackets.
    fn makes_a_list(&self) -> bool {
        match self.open.last() {
            Some(bracket) => *bracket == Bracket::Group,
            None => self.is_set && self.is_assigned,
        }
    }
}

fn is_constant(word: &str) -> bool {
    matches!(word, "true" | "True" | "false" | "False" | "none" | "None")
}
