//! Failure modes of interfaces, kernel objects, processes and their
//! surroundings: each test begins with the id of the mode that it makes happen.
//!
//! docs/failure-modes.md has the table of all of them, also of those that
//! other tests make happen and of those that no test can.

mod addresses;
mod carriers;
mod devices;
mod lab;
mod links;
mod netlink;
mod process;
mod resources;
mod scripts;
