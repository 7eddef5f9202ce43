//! What the processes of an agent may do, who may tell it something, and what
//! it tells nobody.

mod control;
mod secrets;
mod threads;
mod unit;
