//! What the engine costs by itself, without a cluster that would hide it: `cargo bench`.
//!
//! Times are printed, never asserted: machines differ. Where a goal is a ratio, both sides stand in one table.

mod journal;
mod lab;
mod load;
mod matching;
mod mesh;
mod run;

fn main() {
    divan::main();
}
