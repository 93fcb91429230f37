//! One file for each case.

pub(super) mod backends;
pub(super) mod calls;
pub(super) mod cold;
pub(super) mod crowd;
pub(super) mod idle;
pub(super) mod large;
pub(super) mod library;
pub(super) mod list;
pub(super) mod pipe;
pub(super) mod soak;
