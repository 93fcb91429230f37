//! What libFuzzer writes, read.

use anyhow::{Context, Result, ensure};

/// The log of one run.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// How many counters the compiler put into the program.
    counters: u64,
    /// Counters that the seeds reached, and that were reached in the end.
    coverage: Option<(u64, u64)>,
    /// Inputs that were tried.
    runs: u64,
    /// The file with the input that failed.
    pub input: Option<String>,
    /// What failed, as the program said it.
    pub failure: String,
}

impl Log {
    /// Reads the whole log.
    pub(super) fn read(text: &str) -> Self {
        let mut log = Self::default();
        let mut failing = false;
        for line in text.lines() {
            if let Some((_, counters)) = line.split_once("INFO: Loaded 1 modules") {
                log.counters = number(counters);
            } else if let Some((_, coverage)) = line.split_once(" cov: ") {
                let reached = number(coverage);
                let (first, _) = log.coverage.unwrap_or((reached, reached));
                log.coverage = Some((first, reached));
            } else if let Some((_, runs)) = line.split_once("stat::number_of_executed_units:") {
                log.runs = number(runs);
            } else if let Some((_, input)) = line.split_once("Test unit written to ") {
                log.input = Some(input.to_owned());
            }
            // A panic speaks from its place to the signal that it becomes; a slow or large input
            // has one line.
            failing = failing && !line.starts_with("==") || line.contains(" panicked at ");
            let own = log.failure.is_empty() && line.contains("ERROR: libFuzzer: ");
            if failing || own {
                log.failure.push_str(line);
                log.failure.push('\n');
            }
        }
        log
    }

    /// One line about a run that found nothing.
    ///
    /// Without feedback a run is a lot of random bytes, and finding nothing means nothing.
    pub(super) fn summary(&self) -> Result<String> {
        ensure!(self.counters > 0, "the target was built without coverage feedback");
        let (first, last) = self.coverage.context("the target reported no coverage")?;
        ensure!(self.runs > 0 && first > 0, "no input was tried");
        Ok(format!(
            "{} inputs, {first} -> {last} of {} places reached, nothing found",
            self.runs, self.counters
        ))
    }
}

/// The first number in a text.
fn number(text: &str) -> u64 {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Log;

    const GOOD: &str = "\
INFO: Loaded 1 modules   (1740 inline 8-bit counters): 1740 [0x5, 0x6),
INFO: -max_len is not provided
#14\tINITED cov: 320 ft: 700 corp: 12/1Kb exec/s: 0 rss: 30Mb
#99\tNEW    cov: 331 ft: 702 corp: 13/1Kb lim: 4096 exec/s: 0 rss: 30Mb L: 9/1 MS: 1 EraseBytes-
#9000\tDONE   cov: 402 ft: 990 corp: 80/9Kb lim: 4096 exec/s: 4500 rss: 31Mb
stat::number_of_executed_units: 9000
";

    #[test]
    fn a_run_that_found_nothing_says_how_far_it_got() {
        let summary = Log::read(GOOD).summary().ok();
        let expected = "9000 inputs, 320 -> 402 of 1740 places reached, nothing found";
        assert_eq!(summary.as_deref(), Some(expected));
    }

    #[test]
    fn a_run_without_feedback_is_none() {
        let blind: String = GOOD.lines().filter(|line| !line.contains("Loaded")).collect();
        assert!(Log::read(&blind).summary().is_err());
    }

    #[test]
    fn a_failure_is_told_with_its_input() {
        let log = Log::read(
            "#14\tINITED cov: 320 ft: 700\n\
             thread '<unnamed>' (1) panicked at targets/sse.rs:1:9:\n\
             assertion failed\n  left: 1\n\
             == 31838== ERROR: libFuzzer: deadly signal\n\
             SUMMARY: libFuzzer: deadly signal\n\
             artifact_prefix='x/'; Test unit written to x/crash-1\n",
        );
        assert_eq!(log.input.as_deref(), Some("x/crash-1"));
        assert!(log.failure.contains("  left: 1\n") && !log.failure.contains("signal"));
    }
}
