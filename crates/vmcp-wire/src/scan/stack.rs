//! Which kinds of containers the scanner is inside of: one bit per level.

/// A stack of "object or array" that allocates only below 64 levels.
#[derive(Debug, Clone, Default)]
pub(super) struct Stack {
    depth: usize,
    /// The innermost levels, innermost lowest; 1 is an object.
    bits: u64,
    /// The outer levels in words of 64.
    outer: Vec<u64>,
}

impl Stack {
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn in_object(&self) -> bool {
        self.bits & 1 == 1
    }

    pub(super) fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(object);
        self.depth += 1;
    }

    pub(super) fn pop(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }
}
