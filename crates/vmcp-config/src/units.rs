//! Values with a unit: durations as Go spells them, sizes in bytes.

use std::time::Duration;

/// `30s`, `1m30s`, `1.5h`, `300ms`. A bare number has no unit and is none, except `0`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        total += number.parse::<f64>().ok()? * seconds(unit)?;
        rest = tail;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(total).ok() }
}

fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// `65536`, `64KiB`, `8MiB`, `1GiB`.
pub(crate) fn bytes(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::{bytes, duration};
    use std::time::Duration;

    #[test]
    fn durations_are_spelled_as_in_go() {
        let check = |text, wanted: Option<f64>| {
            assert_eq!(duration(text), wanted.map(Duration::from_secs_f64), "{text}");
        };
        check("30s", Some(30.0));
        check("1m30s", Some(90.0));
        check("1.5h", Some(5400.0));
        check("300ms", Some(0.3));
        check("0", Some(0.0));
        check("30", None);
        check("", None);
        check("s", None);
        check("-3s", None);
        check("3 s", None);
        check("1d", None);
        check("99999999999999999999h", None);
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(bytes("8MiB"), Some(8 << 20));
        assert_eq!(bytes("64 KiB"), Some(64 << 10));
        assert_eq!(bytes("12"), Some(12));
        assert_eq!(bytes("8MB"), None);
        assert_eq!(bytes("99999999999GiB"), None);
    }
}
