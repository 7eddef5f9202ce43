//! Real programs under the runner, and what the sources find out.

mod lab;
mod limits;
mod runs;
