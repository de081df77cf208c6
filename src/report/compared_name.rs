//! Names of functions as they are compared: the same in every version of a module, and wherever a closure stands in its
//! function.

use std::borrow::Cow;

use crate::errors::plain;

/// What the compiler calls functions that have no name, before their number.
const NAMELESS: [&str; 3] = ["func", "gowrap", "deferwrap"];

/// The name without what another version changes: a module's major version (`/v2`, `.v3`, `@v1.2.3`), type arguments,
/// and the numbers of closures.
pub fn compared(name: &str) -> Cow<'_, str> {
    let known = plain(&without_brackets(name));
    let (directory, rest) = known.rsplit_once('/').unwrap_or(("", &known));
    let mut elements = directory.split('/').filter_map(of_path);
    let first = elements.next().unwrap_or_default().to_owned();
    let path = elements.fold(first, |path, element| format!("{path}/{element}"));
    let (package, function) = rest.split_once('.').unwrap_or((rest, ""));
    let function: Vec<_> = function.split('.').filter_map(of_function).collect();
    let function = function.join(".");
    let package = of_path(package).unwrap_or_default();
    let parts = [
        &*path,
        if path.is_empty() || package.is_empty() {
            ""
        } else {
            "/"
        },
        package,
        if function.is_empty() { "" } else { "." },
        &function,
    ];
    let clean = parts.concat();
    if clean == name {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(clean)
    }
}

/// The package that a compared name is of.
pub fn package(compared: &str) -> &str {
    let directory = compared.rfind('/').map_or(0, |at| at + 1);
    let dot = compared[directory..].find('.');
    dot.map_or(compared, |dot| &compared[..directory + dot])
}

/// The text without what stands in square brackets.
fn without_brackets(name: &str) -> String {
    let mut depth = 0_u32;
    let outside = |c: &char| {
        match c {
            '[' => depth += 1,
            ']' => {
                depth = depth.saturating_sub(1);
                return false;
            }
            _ => {}
        }
        depth == 0
    };
    name.chars().filter(outside).collect()
}

/// An element of a package's path without its version; `None` if it is nothing else.
fn of_path(element: &str) -> Option<&str> {
    let element = element.split_once('@').map_or(element, |(name, _)| name);
    if is_version(element) {
        return None;
    }
    let escaped = element.rsplit_once("%2e");
    Some(escaped.map_or(
        element,
        |(name, version)| if is_version(version) { name } else { element },
    ))
}

/// Whether it is a major version that Go writes into a path.
fn is_version(text: &str) -> bool {
    let number = text
        .strip_prefix('v')
        .and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| number >= 2)
}

/// A part of a function's name without the number of a closure; `None` if it is nothing else. A major version is a part of
/// its own in names such as `gopkg.in/yaml.v3.Unmarshal`.
fn of_function(part: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(part) || is_version(part) {
        return None;
    }
    let begin = part.split_once('-').map_or(part, |(begin, _)| begin);
    let nameless = NAMELESS
        .into_iter()
        .find(|nameless| begin.strip_prefix(nameless).is_some_and(is_number));
    Some(nameless.unwrap_or(part))
}
