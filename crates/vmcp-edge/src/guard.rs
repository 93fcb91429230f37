//! Stage *guard*: what is checked before anything of a request is believed or stored.
//!
//! First the place a request claims to come from and go to ([`origin`]), because that stops a web page that
//! was tricked into calling a local server; then the form of the head ([`head`]); then the body, while it is
//! read ([`body`]).

pub(crate) mod body;
pub(crate) mod head;
pub(crate) mod origin;
