//! Strings of others, as a page shows them.

use maud::{Markup, html};

/// The most characters of a string that are shown.
const SHOWN: usize = 240;

/// A string of others for display: cut, with whatever is invisible or changes the direction of text spelled out.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(SHOWN));
    let mut characters = text.chars();
    for character in characters.by_ref().take(SHOWN) {
        if is_treacherous(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    let left = characters.count();
    if left > 0 {
        shown.push_str(&format!("… ({left} more characters)"));
    }
    shown
}

/// A string of others as an element whose direction changes nothing around it.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (shown(text)) } }
}

/// The same in the letters of code.
pub(super) fn code(text: &str) -> Markup {
    html! { code { bdi { (shown(text)) } } }
}

/// Whether a character is a control, is invisible, or changes the direction of others.
fn is_treacherous(character: char) -> bool {
    let is_mark = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    character.is_control() || is_mark
}

/// A function's name without the path of its package.
pub(super) fn short(name: &str) -> &str {
    let path = name.find(['(', '[']).map_or(name, |end| &name[..end]);
    path.rfind('/').map_or(name, |slash| &name[slash + 1..])
}

/// Whose code a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// KubeVirt's own.
    KubeVirt,
    /// Kubernetes' libraries.
    Kubernetes,
    /// Go's runtime.
    Runtime,
    /// Go's standard library.
    Standard,
    /// Other modules'.
    Other,
    /// Frames that were folded into one.
    Folded,
}

impl Origin {
    /// All of them.
    pub(super) const ALL: [Self; 6] = [
        Self::KubeVirt,
        Self::Kubernetes,
        Self::Runtime,
        Self::Standard,
        Self::Other,
        Self::Folded,
    ];

    /// The origin of a function with this name.
    pub(super) fn of(name: &str) -> Self {
        let first = name.split(['/', '(', '[']).next().unwrap_or_default();
        let package = first.split('.').next().unwrap_or_default();
        if name.starts_with("kubevirt.io/") || name.starts_with("main.") {
            Self::KubeVirt
        } else if ["k8s.io", "sigs.k8s.io"].contains(&first) {
            Self::Kubernetes
        } else if package == "runtime" {
            Self::Runtime
        } else if name.contains('/') && first.contains('.') {
            Self::Other
        } else if name.contains('.') {
            Self::Standard
        } else {
            Self::Other
        }
    }

    /// The digit that stands for it in the page's data, and in the names of its styles.
    pub(super) fn digit(self) -> char {
        match self {
            Self::KubeVirt => '0',
            Self::Kubernetes => '1',
            Self::Runtime => '2',
            Self::Standard => '3',
            Self::Other => '4',
            Self::Folded => '5',
        }
    }

    /// Its colour where the page's style is forbidden: that of the style, on white.
    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::KubeVirt => "#9fd0f5",
            Self::Kubernetes => "#b6dfc9",
            Self::Runtime => "#dcdfe4",
            Self::Standard => "#f2dc9a",
            Self::Other => "#e5c5e0",
            Self::Folded => "#fff",
        }
    }

    /// What a legend calls it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::KubeVirt => "KubeVirt",
            Self::Kubernetes => "Kubernetes libraries",
            Self::Runtime => "Go runtime",
            Self::Standard => "Go standard library",
            Self::Other => "other modules",
            Self::Folded => "folded small frames",
        }
    }
}

/// A string as one word of a shell's command.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:=".contains(c);
    let shown = shown(word);
    if !shown.is_empty() && !shown.starts_with('-') && shown.chars().all(is_plain) {
        return shown;
    }
    format!("'{}'", shown.replace('\'', r"'\''"))
}
