//! What else matches many rules, to measure against.

pub mod hyperscan;
pub mod linear;
