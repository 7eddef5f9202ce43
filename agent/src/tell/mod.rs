//! Telling others what happens: scripts, FIFOs, mail, and a stream for programs.
//!
//! All of it is in the slow lane. [`book`] turns what the fast lane reports
//! into events, each once and in order, and knows who wants to hear of each;
//! it is pure. Everything behind it is bounded: what finds no room is dropped
//! and counted, and nobody who is told can hold up the agent or another one
//! who is told.

pub mod book;
pub mod desk;
pub mod event;
pub mod feed;
pub mod fifo;
pub mod mail;

pub use self::{
    book::{Book, Told},
    desk::{Desk, Job},
    event::{Event, Kind, What, Who},
    fifo::Fifo,
};
