//! Who is told what, and in which order: scripts, FIFOs, mail, the stream of
//! events; keepalived with the same file through the same events is the
//! reference.

mod confined;
mod document;
mod events;
mod lab;
mod last;
mod like_keepalived;
mod mail;
mod reloads;
mod scripts;
