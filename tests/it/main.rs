//! The shell of wxreply, tested as its users meet it: real sockets, a real database, WeChat simulated beside it.

mod cli;
mod crash;
mod delivery;
mod demo;
mod push;
mod readme;
mod reload;
mod world;
