//! A setting as it was read, and the faults of all settings.

use super::types::ConfigError;

/// The beginning of the name of every variable of ours.
pub const PREFIX: &str = "PROFILER_";

/// A variable of ours, described for people.
#[derive(Debug)]
pub struct Variable {
    pub(super) field: &'static str,
    /// The default, in words.
    pub default: &'static str,
    /// What the variable means.
    pub meaning: &'static str,
}

impl Variable {
    /// The variable's name.
    pub fn name(&self) -> String {
        name(self.field)
    }
}

/// The name of the variable that a field of the table stands for.
fn name(field: &str) -> String {
    format!("{PREFIX}{}", field.to_uppercase())
}

/// A setting: what its variable is set to, parsed, and its default.
pub(super) struct Setting<'a, T> {
    /// The variable's name.
    pub(super) name: String,
    /// What it is set to; `None` where it is unset or empty.
    pub(super) text: Option<&'a str>,
    set: Option<Result<T, String>>,
    default: Option<Result<T, String>>,
}

impl<'a, T> Setting<'a, T> {
    /// Parses what the variable of a field is set to, and its default, which is written the same way.
    pub(super) fn new(
        field: &str,
        text: Option<&'a str>,
        default: Option<&str>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Self {
        Self {
            name: name(field),
            text,
            set: text.map(&parse),
            default: default.map(&parse),
        }
    }

    /// Whether the variable is set, well or not.
    pub(super) fn is_set(&self) -> bool {
        self.text.is_some()
    }

    /// Whether it is set to something that is not accepted.
    pub(super) fn is_faulty(&self) -> bool {
        matches!(self.set, Some(Err(_)))
    }

    /// Checks what it is set to by one more rule, which gets the text and the value.
    pub(super) fn with_rule(mut self, rule: impl FnOnce(&str, &T) -> Result<(), String>) -> Self {
        if let (Some(text), Some(Ok(value))) = (self.text, &self.set)
            && let Err(fault) = rule(text, value)
        {
            self.set = Some(Err(fault));
        }
        self
    }

    /// Changes the default.
    pub(super) fn map_default(mut self, change: impl FnOnce(T) -> T) -> Self {
        self.default = self.default.map(|default| default.map(change));
        self
    }
}

impl Setting<'_, bool> {
    /// Whether it is set to what it is off without.
    pub(super) fn is_true(&self) -> bool {
        self.set == Some(Ok(true))
    }
}

/// The faults of an environment, one text each.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    /// A setting's value, or its default where it is unset or faulty; `None` where there is no default.
    pub(super) fn read<T>(&mut self, setting: Setting<'_, T>) -> Option<T> {
        let Setting {
            name, set, default, ..
        } = setting;
        let mut good = |parsed: Result<T, String>| match parsed {
            Ok(value) => Some(value),
            Err(fault) => {
                self.add(&name, &fault);
                None
            }
        };
        set.and_then(&mut good).or_else(|| default.and_then(good))
    }

    /// A setting's value, or its default where it is unset; `None` where it is faulty.
    pub(super) fn read_good<T>(&mut self, setting: Setting<'_, T>) -> Option<T> {
        let is_faulty = setting.is_faulty();
        self.read(setting).filter(|_| !is_faulty)
    }

    /// Adds a fault of a variable.
    pub(super) fn add(&mut self, name: &str, fault: &str) {
        self.0.push(format!("{name}: {fault}"));
    }

    /// Adds a fault whose text names the variable.
    pub(super) fn add_text(&mut self, fault: String) {
        self.0.push(fault);
    }

    /// The value, where there is no fault.
    ///
    /// # Errors
    /// All faults, where there is one.
    pub(super) fn into_result<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(ConfigError { faults: self.0 }),
        }
    }
}
