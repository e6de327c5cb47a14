//! The running whole, as in `src/server`: the real program on real sockets.

mod connections;
mod production;
mod program;
