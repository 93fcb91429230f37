//! Strategies against issuers and backends on real sockets.

#[cfg(test)]
mod aws;
#[cfg(test)]
mod oauth_login;
#[cfg(test)]
mod oauth_renewal;
#[cfg(test)]
mod rig;
