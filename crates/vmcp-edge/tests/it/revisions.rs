//! Clients of every revision in front of backends of every revision: what each of them sees.
//!
//! A backend says all that the newest revision has, whatever its own is: what a client may get depends on the client.

mod batches;
mod content;
mod long;
mod passing;
mod questions;
mod world;
