//! Strategies against issuers and backends on real sockets.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod crossing;
#[cfg(test)]
mod exchanges;
#[cfg(test)]
mod incoming;
#[cfg(test)]
mod oauth_login;
#[cfg(test)]
mod oauth_renewal;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod principals;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod services;
