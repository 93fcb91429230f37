//! The kit's peers talk to each other.

mod aws;
mod backend;
mod faults;
mod idp;
mod idp_guard;
mod idp_login;
mod stateless;
mod stdio;
