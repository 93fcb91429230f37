//! Who calls, and as whom vmcp calls a backend.
