//! Peers on real sockets for tests: scriptable backends and raw clients.
