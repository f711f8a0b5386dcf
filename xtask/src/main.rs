//! The one-word commands.
fn main() {}
