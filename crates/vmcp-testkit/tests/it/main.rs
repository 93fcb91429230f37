//! The kit's peers talk to each other.

mod backend;
mod faults;
mod idp;
mod stdio;
