//! Golden vectors, rejections by requirement id, truncations, round trips.

mod accept;
mod announce;
mod approach;
mod bfd;
mod lab;
mod probe;
mod reject;
mod reject_ip;
mod robust;
mod round_trip;
mod sort;
