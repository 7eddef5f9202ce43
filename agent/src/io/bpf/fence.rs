//! The fence: which VIPs are kept from a machine whose agent hangs, where, and
//! by which program.

use std::{
    net::IpAddr,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use agent_common::{
    KernelTime,
    record::{FenceCounters, FenceKey, Lease},
    wire::frame::{family_of, wire_address},
};
use aya::Ebpf;

use super::{
    BpfError, Kernel,
    attach::{BPF_F_BEFORE, BPF_TCX_INGRESS, BPF_XDP, XDP_FLAGS_SKB_MODE},
    error::failed,
    load, sys,
};

/// Programs and maps of the fence.
#[derive(Debug)]
pub(super) struct FenceParts {
    /// Nothing but the fence of some links goes without them.
    tcx: Result<OwnedFd, BpfError>,
    xdp: Result<OwnedFd, BpfError>,
    places: OwnedFd,
    counters: OwnedFd,
    other_serves: OwnedFd,
}

impl FenceParts {
    pub fn load(object: &mut Ebpf) -> Result<Self, BpfError> {
        Ok(Self {
            tcx: load::classifier(object, "failoverd_fence"),
            xdp: load::xdp(object, "failoverd_fence_xdp"),
            places: load::map_fd(object, "FENCE")?,
            counters: load::map_fd(object, "FENCED")?,
            other_serves: load::map_fd(object, "OTHER_SERVES")?,
        })
    }

    pub fn tcx(&self) -> Result<BorrowedFd<'_>, BpfError> {
        let missing = BpfError::Missing("failoverd_fence");
        self.tcx.as_ref().map_or(Err(missing), |fd| Ok(fd.as_fd()))
    }

    pub fn xdp(&self) -> Result<BorrowedFd<'_>, BpfError> {
        let missing = BpfError::Missing("failoverd_fence_xdp");
        self.xdp.as_ref().map_or(Err(missing), |fd| Ok(fd.as_fd()))
    }
}

/// The fence of a link that has no program for adverts; gone when dropped.
#[derive(Debug)]
pub struct Fencing {
    _link: OwnedFd,
}

/// A VIP where it is asked for.
pub fn fence_key((ifindex, address): (u32, IpAddr)) -> FenceKey {
    FenceKey {
        ifindex,
        vlan: 0,
        family: family_of(address) as u8,
        _pad: 0,
        address: wire_address(address),
    }
}

impl Kernel {
    /// Lets a link be fenced that hears no adverts: by tcx, or by XDP in
    /// generic mode, because a link of the driver may go down for a moment when
    /// it gets a program.
    ///
    /// # Errors
    ///
    /// The reason, where the machine lets us have neither.
    pub fn fence_on(&self, ifindex: u32) -> Result<Fencing, String> {
        let by_tcx = self
            .fences
            .tcx()
            .map(|program| sys::link_create(program, ifindex, BPF_TCX_INGRESS, BPF_F_BEFORE));
        if let Ok(Ok(link)) = by_tcx {
            return Ok(Fencing { _link: link });
        }
        let program = self.fences.xdp().map_err(|error| error.to_string())?;
        let link = sys::link_create(program, ifindex, BPF_XDP, XDP_FLAGS_SKB_MODE)
            .map_err(|error| format!("no tcx (Linux 6.6), and no XDP: {error}"))?;
        Ok(Fencing { _link: link })
    }

    /// Makes a VIP one of a slot, from now on.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`], E2BIG when 65,536 are known.
    pub fn set_fence(&self, place: (u32, IpAddr), slot: u32) -> Result<(), BpfError> {
        let key = fence_key(place);
        sys::map_update(
            self.fences.places.as_fd(),
            bytemuck::bytes_of(&key),
            &slot.to_ne_bytes(),
        )
        .map_err(failed("cannot set a fence"))
    }

    /// Whatever happens, requests for this VIP reach the stack from now on.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn remove_fence(&self, place: (u32, IpAddr)) -> Result<(), BpfError> {
        let key = fence_key(place);
        sys::map_delete(self.fences.places.as_fd(), bytemuck::bytes_of(&key))
            .map(drop)
            .map_err(failed("cannot remove a fence"))
    }

    /// Whether requests for the VIPs of a slot are kept from the stack at `now`.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn is_fenced(&self, slot: u32, now: KernelTime) -> Result<bool, BpfError> {
        let until_ns = self.lease(slot)?.map_or(0, KernelTime::nanos);
        let lease = Lease {
            until_ns,
            ..Lease::default()
        };
        Ok(lease.has_run_out(now.nanos()))
    }

    /// What the fence of a slot kept from the stack, summed over all CPUs.
    /// Allocates.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn fenced(&self, slot: u32) -> Result<FenceCounters, BpfError> {
        let failed = failed("cannot read the counters of the fence");
        let cpus = aya::util::nr_cpus().map_err(|(_what, source)| failed(source))?;
        let mut per_cpu = vec![FenceCounters::default(); cpus];
        let value = bytemuck::cast_slice_mut(per_cpu.as_mut_slice());
        sys::map_lookup(self.fences.counters.as_fd(), &slot.to_ne_bytes(), value)
            .map_err(failed)?;
        let mut sum = FenceCounters::default();
        for FenceCounters { questions, packets } in per_cpu {
            sum.questions = sum.questions.wrapping_add(questions);
            sum.packets = sum.packets.wrapping_add(packets);
        }
        Ok(sum)
    }

    /// The next instance of a slot counts from zero.
    pub(super) fn reset_fenced(&self, slot: u32) -> Result<(), BpfError> {
        let failed = failed("cannot reset the counters of the fence");
        let cpus = aya::util::nr_cpus().map_err(|(_what, source)| failed(source))?;
        let none = vec![FenceCounters::default(); cpus];
        let value = bytemuck::cast_slice(none.as_slice());
        sys::map_update(self.fences.counters.as_fd(), &slot.to_ne_bytes(), value).map_err(failed)
    }

    /// No packet is looked at more closely until another router is heard in the
    /// place of one of ours that hangs.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn forget_other(&self) -> Result<(), BpfError> {
        let never = 0_u64.to_ne_bytes();
        sys::map_update(
            self.fences.other_serves.as_fd(),
            &0_u32.to_ne_bytes(),
            &never,
        )
        .map_err(failed("cannot open the fence"))
    }
}
