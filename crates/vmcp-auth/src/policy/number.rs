//! Numbers as Cedar has them: 64-bit integers, and decimals with four digits behind the point.

use cedar_policy::RestrictedExpression;

/// The most digits in front of the point that a decimal can have.
const MOST_DIGITS: usize = 15;
/// Digits behind the point.
const PLACES: usize = 4;

/// The number with this spelling in JSON, exactly; `None` if Cedar has no such number.
///
/// A number without a fraction is an integer however it is spelled: `1`, `1.0` and `1e0` are the same to whoever reads
/// them, so they must be to policies.
pub(super) fn number(text: &str) -> Option<RestrictedExpression> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let bare = digits.trim_start_matches('0');
    if bare.is_empty() {
        return Some(RestrictedExpression::new_long(0));
    }
    // Where the point is, counted from the first digit that is not a leading zero.
    let leading = i64::try_from(digits.len() - bare.len()).ok()?;
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent) - leading;
    let bare = bare.trim_end_matches('0');
    let sign = if negative { "-" } else { "" };
    if point >= i64::try_from(bare.len()).ok()? {
        let zeros = usize::try_from(point).ok()?.checked_sub(bare.len())?;
        if bare.len() + zeros > 19 {
            return None;
        }
        let text = format!("{sign}{bare}{}", "0".repeat(zeros));
        return text.parse().ok().map(RestrictedExpression::new_long);
    }
    let (whole, fraction) = match usize::try_from(point) {
        Ok(0) => ("0", bare.to_owned()),
        Ok(point) => (bare.get(..point)?, bare.get(point..)?.to_owned()),
        Err(_) => {
            let zeros = usize::try_from(point.unsigned_abs()).ok().filter(|n| *n < PLACES)?;
            ("0", format!("{}{bare}", "0".repeat(zeros)))
        }
    };
    if fraction.len() > PLACES || whole.len() > MOST_DIGITS {
        return None;
    }
    // Of 15 digits not all fit in the highest place; Cedar says which when it evaluates this.
    let text = format!("{sign}{whole}.{fraction}");
    whole.parse::<u64>().ok().filter(|whole| *whole < 922_337_203_685_477)?;
    Some(RestrictedExpression::new_decimal(text))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_exact_or_none() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.000", "0"),
            ("1", "1"),
            ("1.0", "1"),
            ("1e0", "1"),
            ("10e-1", "1"),
            ("1.5e1", "15"),
            ("-12E2", "-1200"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("1.5", r#"decimal("1.5")"#),
            ("-0.25", r#"decimal("-0.25")"#),
            ("25e-3", r#"decimal("0.025")"#),
            ("1e-4", r#"decimal("0.0001")"#),
            ("123456789012.3456", r#"decimal("123456789012.3456")"#),
        ] {
            let found = number(text).unwrap();
            let wanted: cedar_policy::RestrictedExpression = expected.parse().unwrap();
            assert_eq!(found.as_ref().to_string(), wanted.as_ref().to_string(), "{text}");
        }
        for text in [
            "9223372036854775808",
            "1e300",
            "1e2147483647",
            "1e99999999999",
            "1e-5",
            "1.00001",
            "0.00001",
            "922337203685477.5",
            "1e-2147483648",
        ] {
            assert!(number(text).is_none(), "{text}");
        }
    }
}
