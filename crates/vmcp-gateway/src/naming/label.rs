//! A wanted name to one that every model API accepts: `^[a-zA-Z0-9_-]{1,64}$`.
//!
//! The mapping looks at nothing but the name, so a name is always spelled the same, whoever else is there
//! and in whichever order backends answer.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Hexadecimal digits of the hash behind a shortened name.
const SUFFIX: usize = 8;

/// The longest name if the configuration says less than makes sense: one letter, `_` and the suffix.
const FLOOR: usize = SUFFIX + 2;

/// Spells `wanted` with the permitted characters only, and not longer than `max`.
///
/// `None` if nothing is left of it.
pub(crate) fn label(wanted: &str, max: usize) -> Option<Cow<'_, str>> {
    if wanted.is_empty() {
        return None;
    }
    let max = max.max(FLOOR);
    if wanted.len() <= max && wanted.bytes().all(permitted) {
        return Some(Cow::Borrowed(wanted));
    }
    let spelled: String =
        wanted.chars().map(|c| if c.is_ascii() && permitted(c as u8) { c } else { '_' }).collect();
    if spelled.len() <= max {
        return Some(Cow::Owned(spelled));
    }
    // The hash is of the name as it was wanted: two long names that differ in a replaced character only
    // still end in different suffixes.
    let digest = Sha256::digest(wanted.as_bytes());
    let mut short = spelled;
    short.truncate(max - SUFFIX - 1);
    short.push('_');
    for byte in &digest[..SUFFIX / 2] {
        for nibble in [byte >> 4, byte & 15] {
            short.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    Some(Cow::Owned(short))
}

fn permitted(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_good_name_is_borrowed_as_it_is() {
        let wanted = "github_create-PR2";
        assert!(
            matches!(label(wanted, 64), Some(std::borrow::Cow::Borrowed(name)) if name == wanted)
        );
    }

    #[test]
    fn other_characters_become_underscores() {
        assert_eq!(label("fs.read file/ü", 64).unwrap(), "fs_read_file__");
        assert_eq!(label("", 64), None);
    }

    #[test]
    fn long_names_keep_their_head_and_get_a_stable_suffix() {
        let long = "a".repeat(70);
        let short = label(&long, 64).unwrap();
        assert_eq!(short.len(), 64);
        assert!(short.starts_with(&"a".repeat(55)));
        assert_eq!(short, label(&long, 64).unwrap());
        assert_ne!(short, label(&"a".repeat(71), 64).unwrap());
        assert_eq!(label(&"a".repeat(64), 64).unwrap(), "a".repeat(64));
    }

    #[test]
    fn long_names_that_differ_in_a_replaced_character_stay_apart() {
        let head = "b".repeat(70);
        assert_ne!(label(&format!("{head}."), 64), label(&format!("{head}/"), 64));
    }

    #[test]
    fn a_senseless_maximum_is_raised() {
        assert_eq!(label("abcdefghijklmnop", 1).unwrap().len(), 10);
    }
}
