//! Sessions against peers on real sockets and real processes.

#[cfg(test)]
mod aws;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod events;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_egress;
#[cfg(test)]
mod hostile_http2;
#[cfg(test)]
mod hostile_lists;
#[cfg(test)]
mod hostile_network;
#[cfg(test)]
mod hostile_replies;
#[cfg(test)]
mod hostile_sessions;
#[cfg(test)]
mod hostile_statuses;
#[cfg(test)]
mod hostile_streams;
#[cfg(test)]
mod listening;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod loss;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod prepared;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod results;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod sse;
#[cfg(test)]
mod stateless;
#[cfg(test)]
mod stateless_eras;
#[cfg(test)]
mod stateless_listen;
#[cfg(test)]
mod stateless_met;
#[cfg(test)]
mod stateless_questions;
#[cfg(test)]
mod travelling;
#[cfg(test)]
mod users;
