//! Label selectors, as far as they reach the one label the pods differ in.

use std::fmt;

use crate::pod::Pod;

/// The label the components' pods carry.
const LABEL: &str = "kubevirt.io";

/// A parsed label selector. Its text is normalised, as virt-api's is before it LISTs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
}

impl Selector {
    /// Parses `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)` and `k notin (a,b)`, comma-joined.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = split(text)
            .into_iter()
            .filter(|part| !part.trim().is_empty())
            .map(|part| requirement(part.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        requirements.sort();
        Ok(Self(requirements))
    }

    /// Whether it selects everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it selects this pod.
    pub(crate) fn matches(&self, pod: &Pod) -> bool {
        self.matches_labels(|key| pod.label.as_ref().filter(|_| key == LABEL))
    }

    /// Whether it selects what has these labels.
    pub(crate) fn matches_labels<'a>(&self, label: impl Fn(&str) -> Option<&'a String>) -> bool {
        self.0.iter().all(|Requirement { key, test }| {
            let value = label(key);
            match test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            }
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Requirement { key, test }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match test {
                Test::Exists => write!(f, "{comma}{key}")?,
                Test::Absent => write!(f, "{comma}!{key}")?,
                Test::In(values) => write!(f, "{comma}{key} in ({})", values.join(","))?,
                Test::NotIn(values) => write!(f, "{comma}{key} notin ({})", values.join(","))?,
            }
        }
        Ok(())
    }
}

/// Splits at the commas that stand in no parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .collect()
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let found = |key: &str, test| {
        Ok(Requirement {
            key: key.trim().to_owned(),
            test,
        })
    };
    if let Some(key) = text.strip_prefix('!') {
        return found(key, Test::Absent);
    }
    if let Some((key, rest)) = text.split_once(char::is_whitespace)
        && let Some((operator, set)) = rest.trim_start().split_once('(')
        && let Some(set) = set.trim_end().strip_suffix(')')
    {
        return match operator.trim() {
            "in" => found(key, Test::In(values(set))),
            "notin" => found(key, Test::NotIn(values(set))),
            other => Err(unparsable(text, other)),
        };
    }
    if let Some((key, value)) = text.split_once("!=") {
        return found(key, Test::NotIn(values(value)));
    }
    if let Some((key, value)) = text.split_once('=') {
        return found(
            key,
            Test::In(values(value.strip_prefix('=').unwrap_or(value))),
        );
    }
    if text.contains(|letter: char| letter.is_whitespace() || "()".contains(letter)) {
        return Err(unparsable(text, text));
    }
    found(text, Test::Exists)
}

fn values(set: &str) -> Vec<String> {
    let mut values: Vec<_> = set
        .split(',')
        .map(|value| value.trim().to_owned())
        .collect();
    values.sort();
    values.dedup();
    values
}

fn unparsable(text: &str, found: &str) -> String {
    format!(
        "unable to parse requirement: found '{found}' in '{text}', expected: in, notin, =, ==, !="
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised() {
        for (text, expected) in [
            (
                "kubevirt.io in (virt-handler, virt-api)",
                "kubevirt.io in (virt-api,virt-handler)",
            ),
            ("kubevirt.io==virt-api,app", "app,kubevirt.io in (virt-api)"),
            ("!a,b!=c", "!a,b notin (c)"),
            ("", ""),
        ] {
            assert_eq!(
                Selector::parse(text).map(|it| it.to_string()),
                Ok(expected.to_owned())
            );
        }
        assert!(Selector::parse("a within (b)").is_err());
    }

    #[test]
    fn selects() {
        let pod = |label: &str| Pod::new("p".to_owned(), Some(label.to_owned()), 0);
        let selector = Selector::parse("kubevirt.io in (virt-api,virt-handler)").expect("valid");
        assert!(selector.matches(&pod("virt-api")));
        assert!(!selector.matches(&pod("virt-launcher")));
        let other = Selector::parse("app").expect("valid");
        assert!(!other.matches(&pod("virt-api")));
    }
}
