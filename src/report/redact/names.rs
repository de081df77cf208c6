//! Names that tell which cluster they are of, and the short ones that stand for them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use hashbrown::{HashMap, HashSet};

use crate::component::Component;
use crate::config::RunId;
use crate::report::path::component_of;

/// The most names of several words; a message in a report with more is left out.
const MOST_PHRASES: usize = 100;

/// The most parts of a word that are looked at one by one.
const MOST_SEGMENTS: usize = 12;

/// Endings of files' names, which are no hosts.
const EXTENSIONS: [&str; 8] = ["pprof", "json", "gz", "tar", "txt", "log", "html", "tmp"];

/// Groups of Kubernetes' API.
const API_GROUPS: [&str; 2] = ["kubevirt.io", "k8s.io"];

/// Words that Kubernetes has in quotation marks, and that are no names.
const QUOTED: [&str; 18] = [
    "pods",
    "nodes",
    "leases",
    "events",
    "namespaces",
    "services",
    "kubevirts",
    "hyperconvergeds",
    "customresourcedefinitions",
    "virtualmachines",
    "virtualmachineinstances",
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
];

/// Names, and what stands for each. The same name has the same one everywhere.
#[derive(Debug, Default)]
pub(super) struct Names {
    short: HashMap<String, String>,
    /// How many names of each sort there are.
    counts: BTreeMap<&'static str, usize>,
    /// All that stand for others.
    issued: HashSet<String>,
    /// Names of several words, the longest first.
    phrases: Vec<String>,
}

impl Names {
    /// What stands for a name of some sort: the sort with a number. What is empty stays so.
    pub(super) fn of(&mut self, sort: &'static str, name: &str) -> String {
        if name.is_empty() || self.short.contains_key(name) {
            return self.known(name);
        }
        let count = self.counts.entry(sort).or_default();
        *count += 1;
        let short = format!("{sort}-{count}");
        self.replace(name.to_owned(), short.clone());
        short
    }

    /// What stands for a pod's name. It begins with the component, too.
    pub(super) fn pod(&mut self, name: &str) -> String {
        self.of(component_of(name).map_or("pod", Component::name), name)
    }

    /// What stands for a run's id. One that nobody chose tells no more than when the run began, and stays.
    pub(super) fn run(&mut self, run: &str) -> String {
        if RunId::parse(run).is_ok_and(|run| run.is_generated()) {
            self.replace(run.to_owned(), run.to_owned());
        }
        self.of("run", run)
    }

    /// What stands for a name, if anything does.
    pub(super) fn known(&self, name: &str) -> String {
        self.short.get(name).map_or(name, String::as_str).to_owned()
    }

    /// Has this stand for a name.
    pub(super) fn replace(&mut self, name: String, short: String) {
        if name.contains(is_between) && self.phrases.len() <= MOST_PHRASES {
            self.phrases.push(name.clone());
            self.phrases.sort_by_key(|phrase| Reverse(phrase.len()));
        }
        self.issued.insert(short.clone());
        self.short.insert(name, short);
    }

    /// A message without the names in it: those that are known, and what looks like an address, a path, a host or
    /// another name.
    pub(super) fn text(&mut self, text: &str) -> String {
        if self.short.contains_key(text) {
            return self.known(text);
        }
        if self.phrases.len() > MOST_PHRASES {
            return "(a message that is left out)".to_owned();
        }
        let mut text = text.to_owned();
        for phrase in &self.phrases {
            text = text.replace(phrase, &self.known(phrase));
        }
        let (mut redacted, mut before) = (String::with_capacity(text.len()), None);
        for piece in text.split_inclusive(is_between) {
            let between = piece.chars().next_back().filter(|last| is_between(*last));
            let word = piece.strip_suffix(is_between).unwrap_or(piece);
            let is_quoted = between.is_some_and(|mark| before == Some(mark) && is_quote(mark));
            redacted += &self.word(word, is_quoted);
            redacted.extend(between);
            before = between;
        }
        redacted
    }

    fn word(&mut self, word: &str, is_quoted: bool) -> String {
        let core = word.trim_end_matches(['.', ':', '!', '?', '…']);
        let address = core.split(['/', '%']).next().unwrap_or_default();
        let sort = if core.contains("://") || address.parse::<Ipv6Addr>().is_ok() {
            Some("address")
        } else if core.len() > 1 && core.starts_with('/') {
            Some("path")
        } else if core.starts_with("system:") {
            Some("account")
        } else if is_quoted && !QUOTED.contains(&core) && !is_plain(core) {
            Some("name")
        } else {
            None
        };
        let mut short = match sort {
            _ if self.is_known(core) => self.known(core),
            Some(sort) => self.of(sort, core),
            None => {
                let parts = core.split_inclusive(is_within);
                parts.map(|part| self.part_and_mark(part)).collect()
            }
        };
        short += &word[core.len()..];
        short
    }

    fn part_and_mark(&mut self, part: &str) -> String {
        let name = part.strip_suffix(is_within).unwrap_or(part);
        self.part(name) + &part[name.len()..]
    }

    /// A part of a word, such as a pod in a path.
    fn part(&mut self, part: &str) -> String {
        if self.is_known(part) && part.parse::<Component>().is_err() {
            return self.known(part);
        }
        if self.issued.contains(part) || is_plain(part) {
            return part.to_owned();
        }
        if component_of(part).is_some() || part.starts_with("virt-launcher-") {
            return self.pod(part);
        }
        if part.parse::<Ipv4Addr>().is_ok() {
            return self.of("address", part);
        }
        let file = part.rsplit_once('.');
        if let Some((stem, extension)) = file.filter(|of| EXTENSIONS.contains(&of.1)) {
            return format!("{}.{extension}", self.part(stem));
        }
        if is_host(part) {
            return self.of("host", part);
        }
        if is_numbered(part) || self.has_known(part) {
            return self.of("name", part);
        }
        part.to_owned()
    }

    /// Whether a word is a known name. A single letter and a number may be anything.
    fn is_known(&self, word: &str) -> bool {
        let says_something = word.len() > 1 && word.contains(|c: char| !c.is_ascii_digit());
        says_something && self.short.contains_key(word)
    }

    /// Whether a known name is within a word, between dots and hyphens.
    fn has_known(&self, word: &str) -> bool {
        let ends = word.match_indices(['-', '.', '_']).map(|(at, _)| at);
        let ends: Vec<_> = ends.chain([word.len()]).take(MOST_SEGMENTS).collect();
        let begins = [0].into_iter().chain(ends.iter().map(|end| end + 1));
        let mut begins = begins.take(ends.len());
        begins.any(|begin| {
            let ends = ends.iter().filter(|end| **end > begin + 2);
            ends.into_iter()
                .any(|end| self.is_known(&word[begin..*end]))
        })
    }
}

/// Whether a character stands between words.
fn is_between(c: char) -> bool {
    c.is_whitespace() || is_quote(c) || "'()[]{}<>,;|".contains(c)
}

fn is_quote(c: char) -> bool {
    c == '"' || c == '`'
}

/// Whether a character stands between the parts of a word.
fn is_within(c: char) -> bool {
    "/=:@&?#%*+\\~^$".contains(c)
}

/// Whether a word is a number, a version or a group of Kubernetes' API, or nothing.
fn is_plain(word: &str) -> bool {
    let number = word.trim_start_matches('v');
    let unit = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let is_number = number.starts_with(|c: char| c.is_ascii_digit()) && unit.len() <= 3;
    let is_address = word.parse::<Ipv4Addr>().is_ok();
    let is_unit = unit.chars().all(char::is_alphabetic);
    let is_group = |group: &str| {
        let before = word.strip_suffix(group);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    word.is_empty() || is_number && is_unit && !is_address || API_GROUPS.into_iter().any(is_group)
}

/// Whether a word looks like a host's name.
fn is_host(word: &str) -> bool {
    let is_of_hosts = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    let last = word.rsplit_once('.').map_or("", |(_, last)| last);
    let is_domain = last.len() > 1 && last.chars().all(|c| c.is_ascii_lowercase());
    is_domain && word.chars().all(is_of_hosts)
}

/// Whether a word looks like one of many, as `worker-1` and UIDs do. Dates and the names of snapshots do not.
fn is_numbered(word: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || c == '-';
    let is_snapshot = word.trim_end_matches('s').chars().all(is_number);
    let has = |is: fn(char) -> bool| word.contains(is);
    let is_written_small = !has(|c| c.is_ascii_uppercase()) && has(|c| c.is_ascii_lowercase());
    is_written_small && has(|c| c.is_ascii_digit()) && word.contains('-') && !is_snapshot
}
