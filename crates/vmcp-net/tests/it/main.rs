//! The client against real sockets.

#[cfg(test)]
mod exchange;
#[cfg(test)]
mod server;
