//! The kernel half, seen from user space: load, attach, control, read.

mod arrival;
mod attach;
mod error;
mod ethtool;
mod fast;
mod fence;
mod kernel;
mod load;
mod logs;
mod reflect;
mod succession;
mod sys;

pub use arrival::{AWAITED_FOR, Expected};
pub use attach::{AttachReport, Backend};
pub use error::BpfError;
pub use fast::FastMaps;
pub use fence::Fencing;
pub use kernel::{Kernel, Program};
pub use reflect::{Reflecting, Reflector};
pub use sys::TestRun;

/// Compiler and linker of the embedded object, for `--version`.
pub const EBPF_TOOLCHAIN: &str = env!("FAILOVERD_EBPF_TOOLCHAIN");
