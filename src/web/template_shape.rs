//! Whether a template can be parsed at all: the parser recurses once per operator, and a stack that overflows would end
//! the process.

use minijinja::machinery::{Token, tokenize};

/// The most words and marks between `{{` and `}}`, or `{%` and `%}`. Each may cost a kilobyte of stack or two, of which a
/// thread has two megabytes.
const MOST_TOKENS: usize = 400;
/// The most `elif` of one template: they nest in each other, whatever stands between them.
const MOST_BRANCHES: usize = 100;

/// Looks at a template before it is parsed. Neither recurses nor takes longer than reading it once.
///
/// Errors: a sentence that names the line.
pub(super) fn check(source: &str) -> Result<(), String> {
    let (mut tokens, mut branches) = (0, 0);
    for token in tokenize(source, false, Default::default()) {
        // Whatever cannot be read is the parser's to explain, which comes no further than this.
        let Ok((token, span)) = token else { return Ok(()) };
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => tokens = 0,
            Token::Ident("elif") => branches += 1,
            _ => tokens += 1,
        }
        if tokens > MOST_TOKENS {
            return Err(format!("line {}: more than {MOST_TOKENS} words and marks in one expression", span.start_line));
        }
        if branches > MOST_BRANCHES {
            return Err(format!("line {}: more than {MOST_BRANCHES} times elif", span.start_line));
        }
    }
    Ok(())
}
