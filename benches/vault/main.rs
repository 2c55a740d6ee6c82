//! What each building block takes, and a whole run of them: `cargo bench`, or `cargo bench --bench vault -- <name>`.
//!
//! Every benchmark asserts its answer: a number that came from doing something else, or less, is not a number. Inputs are made from
//! seeds, so that they are the same on every machine. How to read and compare the figures is in `benches/README.md`.

mod chunks;
mod inputs;
mod runs;
mod sealing;
mod tables;
#[path = "../../tests/common/world.rs"]
mod world;

fn main() {
    divan::main();
}
