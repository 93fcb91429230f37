//! Points in time as AWS writes them.
//!
//! Signatures and expirations are about the wall clock: it is read only to be written down, or to be compared with what
//! AWS wrote down.

use http::header::{DATE, HeaderMap};

/// A point in time, in seconds since 1970.
pub(super) type Seconds = u64;

const DAY: u64 = 86_400;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Days in 400 years.
const ERA: u64 = 146_097;
/// Days from the first of March of the year 0 to the first of January 1970.
const EPOCH: u64 = 719_468;

/// `20150830T123600Z`, whose first eight characters are the date.
pub(super) fn basic(at: Seconds) -> String {
    let (year, month, day) = civil(at / DAY);
    let (hour, minute, second) = (at / 3600 % 24, at / 60 % 60, at % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Reads `2015-08-30T12:36:00Z`, with or without a fraction of the second, which is dropped.
pub(super) fn parse(text: &str) -> Option<Seconds> {
    let text = text.strip_suffix('Z')?;
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    at(days(year, month, day)?, hour, minute, second)
}

/// A time of a day; the last minute may have a leap second.
fn at(days: u64, hour: u64, minute: u64, second: u64) -> Option<Seconds> {
    (hour < 24 && minute < 60 && second <= 60)
        .then_some(days * DAY + hour * 3600 + minute * 60 + second)
}

/// Reads the `Date` of a response: `Sun, 30 Aug 2015 12:36:00 GMT` (RFC 9110 §5.6.7, the form that is to be sent).
pub(super) fn parse_date(headers: &HeaderMap) -> Option<Seconds> {
    let text = headers.get(DATE)?.to_str().ok()?.strip_suffix(" GMT")?;
    let (_, text) = text.split_once(", ")?;
    let [day, month, year, time] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    let [year, _, day] = numbers(&format!("{year}-00-{day}"), '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    at(days(year, month, day)?, hour, minute, second)
}

/// Three numbers of so many digits each.
fn numbers(text: &str, between: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

/// The days from 1970 to a date, if there is such a date; counted in years that begin in March, so that the leap day
/// is the last of its year.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    let (year_of_march, month_of_march) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month_of_march + 2) / 5 + day.checked_sub(1)?;
    let leap_days = year_of_march / 4 - year_of_march / 100 + year_of_march / 400;
    let days = (year_of_march * 365 + leap_days + day_of_year).checked_sub(EPOCH)?;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Year, month and day of a day since 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, day_of_era) = (days / ERA, days % ERA);
    // Takes the leap days out: one in 4 years, none in 100, one in 400.
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_of_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_of_march + 2) / 5 + 1;
    let month = if month_of_march < 10 { month_of_march + 3 } else { month_of_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{basic, parse, parse_date};

    #[test]
    fn reads_the_date_of_a_response() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("date", text.parse().unwrap());
            parse_date(&headers)
        };
        assert_eq!(read("Sun, 30 Aug 2015 12:36:00 GMT"), Some(1_440_938_160));
        assert_eq!(read("Tue, 29 Feb 2000 00:00:00 GMT"), Some(951_782_400));
        for text in [
            "",
            "Sun, 30 Aug 2015 12:36:00",
            "Sun, 30 August 2015 12:36:00 GMT",
            "Sun, 30-Aug-15 12:36:00 GMT",
            "Sun Aug 30 12:36:00 2015",
            "Sun, 31 Feb 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 24:36:00 GMT",
            "Sun, 30 Aug 2015 12:36 GMT",
            "Sun, 30 Aug 2015 12:36:00 GMT GMT",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(parse_date(&HeaderMap::new()), None);
    }

    #[test]
    fn writes_what_it_reads() {
        for (seconds, extended, written) in [
            (0, "1970-01-01T00:00:00Z", "19700101T000000Z"),
            (951_782_399, "2000-02-28T23:59:59Z", "20000228T235959Z"),
            (951_782_400, "2000-02-29T00:00:00Z", "20000229T000000Z"),
            (1_440_938_160, "2015-08-30T12:36:00Z", "20150830T123600Z"),
            (1_440_938_160, "2015-08-30T12:36:00.999Z", "20150830T123600Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z", "21000228T235959Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z", "21000301T000000Z"),
        ] {
            assert_eq!(parse(extended), Some(seconds), "{extended}");
            assert_eq!(basic(seconds), written);
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "Z",
            "2015-08-30T12:36:00",
            "2015-08-30T12:36:00+01:00",
            "2015-08-30 12:36:00Z",
            "2015-02-29T12:36:00Z",
            "2100-02-29T12:36:00Z",
            "2015-13-01T12:36:00Z",
            "2015-00-01T12:36:00Z",
            "2015-08-00T12:36:00Z",
            "2015-08-32T12:36:00Z",
            "2015-08-30T24:36:00Z",
            "2015-08-30T12:60:00Z",
            "1969-12-31T23:59:59Z",
            "+015-08-30T12:36:00Z",
            "2015-08-30T12:36:00.Z",
            "2015-08-30T12:36:00.5xZ",
            "20150830T123600Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
