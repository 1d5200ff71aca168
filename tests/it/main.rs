//! The shell of wxreply, tested as its users meet it: real sockets, a real database, WeChat simulated beside it.

mod alarm;
mod by_hand;
mod cli;
mod console_access;
mod console_conversations;
mod console_overview;
mod console_rules;
mod crash;
mod delivery;
mod demo;
mod deploy;
mod guide;
mod page;
mod push;
mod readme;
mod reload;
mod webhook;
mod world;
