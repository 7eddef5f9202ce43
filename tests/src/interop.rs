//! One agent and one real peer between which an address moves: the scene of
//! the tests with real peers.

mod duel;
mod setting;
mod side;

pub use duel::{Duel, PATIENCE, fail_over_and_back};
pub use setting::Setting;
pub use side::{Kind, Side};
