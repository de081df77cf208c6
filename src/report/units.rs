//! Numbers as people read them.

/// The meaning of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Memory.
    Bytes,
    /// Time.
    Nanoseconds,
    /// Anything that is counted.
    Count,
}

impl Unit {
    /// The unit of a profile's values, by the name that the profile gives it.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "bytes" => Self::Bytes,
            "nanoseconds" => Self::Nanoseconds,
            _ => Self::Count,
        }
    }

    /// Its name in the page's data.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Nanoseconds => "nanoseconds",
            Self::Count => "count",
        }
    }

    /// A number with its unit.
    pub(crate) fn show(self, value: i64) -> String {
        match self {
            Self::Bytes => bytes(value as f64),
            Self::Nanoseconds => nanoseconds(value as f64),
            Self::Count => count(value),
        }
    }

    /// A number by which something grew, with its unit and always with its sign.
    pub(crate) fn show_growth(self, value: i64) -> String {
        let shown = self.show(value);
        if value > 0 {
            format!("+{shown}")
        } else {
            shown
        }
    }
}

/// Bytes.
pub(crate) fn bytes(value: f64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if value.abs() < 1024.0 {
        return format!("{} B", signed(format!("{value:.0}")));
    }
    let mut value = value / 1024.0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        // A number that would be shown as 1024 is one of the next unit.
        if value.abs() < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{} {unit}", three_digits(value))
}

/// Time, in seconds or less.
pub(crate) fn nanoseconds(value: f64) -> String {
    let (of, unit) = match value.abs() {
        below if below < 999.5 => (1.0, "ns"),
        below if below < 999.5e3 => (1e3, "µs"),
        below if below < 999.5e6 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{} {unit}", three_digits(value / of))
}

/// A whole number, with a comma before every three digits.
pub(crate) fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut shown = String::from(if value < 0 { "−" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number with three digits that count, if it has a fraction at all.
pub(crate) fn three_digits(value: f64) -> String {
    let shown = match value.abs() {
        0.0 => "0".to_owned(),
        below if below < 9.995 => format!("{value:.2}"),
        below if below < 99.95 => format!("{value:.1}"),
        below if below < 999.5 => format!("{value:.0}"),
        _ => return count(value.round() as i64),
    };
    signed(shown)
}

/// The share of a part in a whole, in percent.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    if whole == 0.0 {
        return "–".to_owned();
    }
    let share = 100.0 * part / whole;
    let shown = match share.abs() {
        0.0 => "0 %".to_owned(),
        below if below < 0.095 => format!("{share:.2} %"),
        below if below < 99.95 => format!("{share:.1} %"),
        _ => format!("{share:.0} %"),
    };
    signed(shown)
}

/// Seconds, as a duration in two units at most.
pub(crate) fn seconds(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..60 => format!("{} s", three_digits(seconds)),
        60..3600 => two(whole / 60, "min", whole % 60, "s"),
        _ => two(whole / 3600, "h", whole % 3600 / 60, "min"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        return format!("{large} {large_unit}");
    }
    format!("{large} {large_unit} {small} {small_unit}")
}

/// Milliseconds.
pub(crate) fn milliseconds(value: u64) -> String {
    nanoseconds(value as f64 * 1e6)
}

/// A Kubernetes quantity as a number: of cores, or of bytes.
pub(crate) fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("", 1.0),
    ];
    let (number, of) = SUFFIXES
        .iter()
        .find_map(|(suffix, of)| Some((text.strip_suffix(suffix)?, of)))?;
    let number: f64 = number.parse().ok()?;
    number.is_finite().then_some(number * of)
}

/// The same number with a minus that is as wide as a plus.
fn signed(shown: String) -> String {
    if shown.starts_with('-') {
        shown.replacen('-', "−", 1)
    } else {
        shown
    }
}
