//! A goroutine's labels, as a header has them: `{key: value, "another key": "a \"value\""}`. Go 1.26
//! quotes all of them, Go 1.27 those that need it. `printquoted`,
//! <https://github.com/golang/go/blob/go1.26.0/src/runtime/print.go>

use std::str::Chars;

/// The names and values of labels. Labels that are written in another way are one, named `labels`.
pub(super) fn parse(text: &str) -> Vec<(String, String)> {
    if text.is_empty() {
        return Vec::new();
    }
    pairs(text).unwrap_or_else(|| vec![("labels".to_owned(), text.to_owned())])
}

fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut pairs = Vec::new();
    loop {
        let name = word(&mut rest, ": ")?;
        rest = rest.strip_prefix(": ")?;
        let value = word(&mut rest, ", ")?;
        pairs.push((name, value));
        if rest.is_empty() {
            return Some(pairs);
        }
        rest = rest.strip_prefix(", ")?;
    }
}

/// Takes a quoted word, or else what comes before `end`.
fn word(rest: &mut &str, end: &str) -> Option<String> {
    if let Some(inside) = rest.strip_prefix('"') {
        let mut chars = inside.chars();
        let word = unquoted(&mut chars)?;
        *rest = chars.as_str();
        return Some(word);
    }
    let (word, left) = rest.split_at_checked(rest.find(end).unwrap_or(rest.len()))?;
    *rest = left;
    Some(word.to_owned())
}

/// Takes a word to the quote that ends it.
fn unquoted(chars: &mut Chars<'_>) -> Option<String> {
    let mut word = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(word),
            '\\' => word.push(escaped(chars)?),
            plain => word.push(plain),
        }
    }
}

/// Takes the character that an escape stands for, after its backslash.
fn escaped(chars: &mut Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        same @ ('\\' | '"') => return Some(same),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let mut code: u32 = 0;
    for _ in 0..digits {
        code = code.checked_mul(16)? + chars.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}
