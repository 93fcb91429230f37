//! The fronts: the only code on the client's side that knows a revision.

pub mod stdio;
