//! The client against real sockets.

#[cfg(test)]
mod exchange;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tls;
