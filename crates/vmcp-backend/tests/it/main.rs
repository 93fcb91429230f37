//! Sessions against peers on real sockets and real processes.

#[cfg(test)]
mod aws;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod events;
#[cfg(test)]
mod faults;
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
mod processes;
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
mod stateless_questions;
