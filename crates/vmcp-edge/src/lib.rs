//! The client's side: listen, guard, identify, front, respond.
