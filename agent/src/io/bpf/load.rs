//! Out of the embedded object: programs through the verifier, maps by name.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData},
    programs::{ProgramError, SchedClassifier, SocketFilter, Xdp},
};

use super::BpfError;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/failoverd-ebpf"));

/// Creates the maps; no program is loaded yet.
pub(super) fn object() -> Result<Ebpf, BpfError> {
    EbpfLoader::new()
        .load(OBJECT)
        .map_err(|error| BpfError::from_loader(&error))
}

pub(super) fn load_xdp(object: &mut Ebpf) -> Result<OwnedFd, BpfError> {
    xdp(object, "failoverd_xdp")
}

pub(super) fn load_tcx(object: &mut Ebpf) -> Result<OwnedFd, BpfError> {
    classifier(object, "failoverd_tcx")
}

pub(super) fn load_reflect(object: &mut Ebpf) -> Result<OwnedFd, BpfError> {
    classifier(object, "failoverd_reflect")
}

pub(super) fn xdp(object: &mut Ebpf, name: &'static str) -> Result<OwnedFd, BpfError> {
    let program = object.program_mut(name).ok_or(BpfError::Missing(name))?;
    let program: &mut Xdp = program.try_into().map_err(|error| refused(name, error))?;
    program.load().map_err(|error| refused(name, error))?;
    own(program.fd().map_err(|error| refused(name, error))?.as_fd())
}

pub(super) fn classifier(object: &mut Ebpf, name: &'static str) -> Result<OwnedFd, BpfError> {
    let program = object.program_mut(name).ok_or(BpfError::Missing(name))?;
    let program: &mut SchedClassifier = program.try_into().map_err(|error| refused(name, error))?;
    program.load().map_err(|error| refused(name, error))?;
    own(program.fd().map_err(|error| refused(name, error))?.as_fd())
}

pub(super) fn load_slow(object: &mut Ebpf) -> Result<OwnedFd, BpfError> {
    const NAME: &str = "failoverd_slow";
    let program = object.program_mut(NAME).ok_or(BpfError::Missing(NAME))?;
    let program: &mut SocketFilter = program.try_into().map_err(|error| refused(NAME, error))?;
    program.load().map_err(|error| refused(NAME, error))?;
    own(program.fd().map_err(|error| refused(NAME, error))?.as_fd())
}

fn refused(program: &'static str, error: ProgramError) -> BpfError {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        return match io_error.raw_os_error() {
            Some(libc::EPERM) => BpfError::NoPermission,
            Some(_) | None => BpfError::Verifier {
                program,
                reason: io_error,
                log: verifier_log.to_string(),
            },
        };
    }
    BpfError::from_loader(&error)
}

pub(super) fn own(fd: BorrowedFd<'_>) -> Result<OwnedFd, BpfError> {
    fd.try_clone_to_owned().map_err(|source| BpfError::System {
        what: "cannot duplicate a descriptor",
        source,
    })
}

pub(super) fn map_fd(object: &Ebpf, name: &'static str) -> Result<OwnedFd, BpfError> {
    let map = object.map(name).ok_or(BpfError::Missing(name))?;
    own(map_data(map).ok_or(BpfError::Missing(name))?.fd().as_fd())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "aya's enum; ours are these three kinds"
)]
fn map_data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data) | Map::HashMap(data) | Map::PerCpuArray(data) => Some(data),
        _ => None,
    }
}
