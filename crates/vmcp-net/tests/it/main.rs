//! The client against real sockets.

#[cfg(test)]
mod bombs;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tls;
