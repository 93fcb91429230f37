//! The word somebody meant.

/// The nearest of `known` to `word`, if it is near enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = normal(word);
    // One slip in three letters; of shorter words almost anything would be near.
    let allowed = word.chars().count() / 3;
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &normal(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and separators are what people get wrong first: they cost nothing.
fn normal(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// `a`, `b` or `c`.
pub(crate) fn any_of<'k>(known: impl IntoIterator<Item = &'k str>) -> String {
    joined(known, "or")
}

fn joined<'k>(known: impl IntoIterator<Item = &'k str>, with: &str) -> String {
    let quoted: Vec<String> = known.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {with} {last}", rest.join(", ")),
    }
}

/// `a`, `b` and `c`.
pub(crate) fn all_of<'k>(known: impl IntoIterator<Item = &'k str>) -> String {
    joined(known, "and")
}

/// A hint for a word that is none of `known`.
pub(crate) fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known here: {}", any_of(known.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use super::{all_of, any_of, nearest};

    #[test]
    fn finds_what_was_meant() {
        let known = ["conflictResolution", "tools", "excludeAllTools"];
        assert_eq!(nearest("conflict_resolution", known), Some("conflictResolution"));
        assert_eq!(nearest("conflictResolutoin", known), Some("conflictResolution"));
        assert_eq!(nearest("tool", known), Some("tools"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("q", ["a"]), None);
    }

    #[test]
    fn lists_words_as_a_sentence_does() {
        assert_eq!(any_of(["a"]), "`a`");
        assert_eq!(any_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(all_of(["a", "b"]), "`a` and `b`");
    }
}
