//! Progress for people.

pub mod progress;
