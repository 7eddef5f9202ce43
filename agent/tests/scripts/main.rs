//! Real programs under the runner, and what the sources find out.

mod desk;
mod document;
mod files;
mod lab;
mod limits;
mod processes;
mod runs;
mod scripts;
mod watcher;
