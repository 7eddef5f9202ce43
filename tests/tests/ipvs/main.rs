//! Virtual servers in a real kernel, with ipvsadm as the oracle.
//!
//! Many kernels of build machines have no IPVS: `cargo xtask vm --test ipvs`
//! runs these where it is. Time is slow there, so what is measured is printed
//! and not judged.

mod kinds;
mod lab;
mod many;
mod missing;
mod reload;
