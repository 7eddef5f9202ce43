//! The loaded programs and maps, and where they are attached.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use agent_common::{
    Outcome,
    outcome::OutcomeCounters,
    record::{InstanceFilter, InstanceKey, LatestSlot, Lease, ReflectKey, WatchSlot},
};
use aya::{Ebpf, maps::RingBuf};

use super::{
    BpfError, FastMaps,
    arrival::Arrivals,
    attach::{self, AttachReport, Backend, Programs},
    fence::FenceParts,
    load,
    sys::{self, TestRun},
};

/// A program that can be run on a made-up frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Program {
    Xdp,
    Tcx,
    /// The reflector beside XDP.
    Reflect,
    /// The fence of links that hear no adverts.
    Fence,
    /// The same without tcx.
    FenceXdp,
}

/// The kernel half: loaded, and attached to some interfaces. Dropping it
/// detaches everything.
#[derive(Debug)]
pub struct Kernel {
    pub(super) object: Ebpf,
    pub(super) xdp: OwnedFd,
    pub(super) tcx: OwnedFd,
    slow: OwnedFd,
    /// Nothing but the reflector goes without it.
    pub(super) reflect_program: Result<OwnedFd, BpfError>,
    pub(super) reflect: OwnedFd,
    pub(super) reflected: OwnedFd,
    pub(super) leases: OwnedFd,
    pub(super) fences: FenceParts,
    awaited: OwnedFd,
    pub(super) arrivals: OwnedFd,
    instances: OwnedFd,
    counters: OwnedFd,
    latest: OwnedFd,
    watch: OwnedFd,
    pub(super) links: BTreeMap<u32, (Backend, Option<OwnedFd>)>,
    /// The key of each slot.
    placed: BTreeMap<u32, InstanceKey>,
    /// What probes of each slot ask for.
    pub(super) targets: BTreeMap<u32, ReflectKey>,
}

impl Kernel {
    /// Loads all programs and creates all maps; attaches nothing.
    ///
    /// # Errors
    ///
    /// See [`BpfError`]. None of them is a reason not to start: the raw-socket
    /// backend needs no BPF.
    pub fn load() -> Result<Self, BpfError> {
        let mut object = load::object()?;
        let xdp = load::load_xdp(&mut object)?;
        let tcx = load::load_tcx(&mut object)?;
        let slow = load::load_slow(&mut object)?;
        let reflect_program = load::load_reflect(&mut object);
        let reflect = load::map_fd(&object, "REFLECT")?;
        let reflected = load::map_fd(&object, "REFLECTED")?;
        let leases = load::map_fd(&object, "LEASES")?;
        let fences = FenceParts::load(&mut object)?;
        let awaited = load::map_fd(&object, "AWAITED")?;
        let arrivals = load::map_fd(&object, "ARRIVALS")?;
        let instances = load::map_fd(&object, "INSTANCES")?;
        let counters = load::map_fd(&object, "COUNTERS")?;
        let latest = load::map_fd(&object, "LATEST")?;
        let watch = load::map_fd(&object, "WATCH")?;
        Ok(Self {
            object,
            xdp,
            tcx,
            slow,
            reflect_program,
            reflect,
            reflected,
            leases,
            fences,
            awaited,
            arrivals,
            instances,
            counters,
            latest,
            watch,
            links: BTreeMap::new(),
            placed: BTreeMap::new(),
            targets: BTreeMap::new(),
        })
    }

    /// Attaches to an interface with the first backend of `order` that the
    /// machine lets us have. Never in the place of somebody else's program.
    ///
    /// An interface that is attached already is detached first.
    pub fn attach(&mut self, ifindex: u32, ifname: &str, order: &[Backend]) -> AttachReport {
        self.detach(ifindex);
        let programs = Programs {
            xdp: self.xdp.as_fd(),
            tcx: self.tcx.as_fd(),
        };
        let mut refused = Vec::new();
        for &backend in order {
            match attach::attach(programs, backend, ifindex, ifname) {
                Ok(link) => {
                    self.links.insert(ifindex, (backend, link));
                    return AttachReport {
                        backend: Some(backend),
                        refused,
                    };
                }
                Err(reason) => refused.push((backend, reason)),
            }
        }
        AttachReport {
            backend: None,
            refused,
        }
    }

    /// The backend that was attached, if any was.
    pub fn detach(&mut self, ifindex: u32) -> Option<Backend> {
        self.links.remove(&ifindex).map(|(backend, _link)| backend)
    }

    /// True when a program of ours was taken off that interface by somebody else,
    /// or with the interface.
    pub fn is_detached(&self, ifindex: u32) -> bool {
        let Some((_, Some(link))) = self.links.get(&ifindex) else {
            return false;
        };
        // A kernel that does not say is no reason to attach again and again.
        !sys::link_is_attached(link.as_fd()).unwrap_or(true)
    }

    /// The live backend of an interface.
    pub fn backend(&self, ifindex: u32) -> Option<Backend> {
        self.links.get(&ifindex).map(|(backend, _link)| *backend)
    }

    /// Makes an instance known, or replaces its filter at once.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`], E2BIG when 512 instances are known.
    pub fn set_instance(&self, key: &InstanceKey, filter: &InstanceFilter) -> Result<(), BpfError> {
        sys::map_update(
            self.instances.as_fd(),
            bytemuck::bytes_of(key),
            bytemuck::bytes_of(filter),
        )
        .map_err(|source| BpfError::System {
            what: "cannot set an instance",
            source,
        })
    }

    /// [`Self::set_instance`], and what the same slot had before is forgotten:
    /// adverts of a link that the instance left are not its own any more, and
    /// links that come and go would fill the map.
    ///
    /// # Errors
    ///
    /// As [`Self::set_instance`].
    pub fn place_instance(
        &mut self,
        key: &InstanceKey,
        filter: &InstanceFilter,
    ) -> Result<(), BpfError> {
        if let Some(old) = self.placed.insert(filter.slot, *key)
            && old != *key
            && !self.placed.values().any(|other| *other == old)
        {
            self.remove_instance(&old)?;
        }
        self.set_instance(key, filter)
    }

    /// Forgets the instance of a slot and all that the slot remembers: it is
    /// free for another.
    ///
    /// # Errors
    ///
    /// As [`Self::set_instance`].
    pub fn retire_slot(&mut self, slot: u32) -> Result<(), BpfError> {
        if let Some(old) = self.placed.remove(&slot)
            && !self.placed.values().any(|other| *other == old)
        {
            self.remove_instance(&old)?;
        }
        self.remove_target(slot)?;
        self.reset_fenced(slot)?;
        self.reset_slot(slot)
    }

    /// Forgets an instance; false when it was not known.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn remove_instance(&self, key: &InstanceKey) -> Result<bool, BpfError> {
        sys::map_delete(self.instances.as_fd(), bytemuck::bytes_of(key)).map_err(|source| {
            BpfError::System {
                what: "cannot remove an instance",
                source,
            }
        })
    }

    /// Forgets the newest advert of a slot and whom it watches: for a slot that
    /// is given to another instance. Counters go on.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`] for a slot that does not exist.
    pub fn reset_slot(&self, slot: u32) -> Result<(), BpfError> {
        let failed = |source| BpfError::System {
            what: "cannot reset a slot",
            source,
        };
        let key = slot.to_ne_bytes();
        let nobody = bytemuck::bytes_of(&WatchSlot::NOBODY);
        sys::map_update(self.watch.as_fd(), &key, nobody).map_err(failed)?;
        let none = Lease::default();
        sys::map_update(self.leases.as_fd(), &key, bytemuck::bytes_of(&none)).map_err(failed)?;
        // Sequence 0 is "never written": even a write that is going on now
        // fails to close, and leaves it so.
        let never = LatestSlot::default();
        sys::map_update(self.latest.as_fd(), &key, bytemuck::bytes_of(&never)).map_err(failed)
    }

    /// Counters of a slot, summed over all CPUs. Allocates: not for the fast
    /// lane.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn counters(&self, slot: u32) -> Result<OutcomeCounters, BpfError> {
        let failed = |source| BpfError::System {
            what: "cannot read counters",
            source,
        };
        let cpus = aya::util::nr_cpus().map_err(|(_what, source)| failed(source))?;
        let mut per_cpu = vec![0_u64; cpus.saturating_mul(Outcome::COUNT)];
        let mut sum = [0_u64; Outcome::COUNT];
        let value = bytemuck::cast_slice_mut(per_cpu.as_mut_slice());
        sys::map_lookup(self.counters.as_fd(), &slot.to_ne_bytes(), value).map_err(failed)?;
        for counters in per_cpu.chunks_exact(Outcome::COUNT) {
            for (total, counter) in sum.iter_mut().zip(counters) {
                *total = total.wrapping_add(*counter);
            }
        }
        Ok(sum)
    }

    /// The maps of the fast lane. Only the first call gets the ring.
    ///
    /// # Errors
    ///
    /// [`BpfError::Missing`] when the ring was taken before.
    pub fn fast_maps(&mut self) -> Result<FastMaps, BpfError> {
        let latest = load::own(self.latest.as_fd())?;
        let watch = load::own(self.watch.as_fd())?;
        let leases = load::own(self.leases.as_fd())?;
        let arrivals = Arrivals {
            awaited: load::own(self.awaited.as_fd())?,
            arrivals: load::own(self.arrivals.as_fd())?,
        };
        let events = self
            .object
            .take_map("EVENTS")
            .ok_or(BpfError::Missing("the ring EVENTS"))?;
        let ring = RingBuf::try_from(events).map_err(|error| BpfError::from_loader(&error))?;
        Ok(FastMaps::new(latest, watch, leases, arrivals, ring))
    }

    /// Keeps steady adverts from waking the reader of a raw socket of protocol
    /// 112: it gets what the hook has left to the slow path, and what arrives
    /// within a second of that.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn slow_filter(&self, socket: BorrowedFd<'_>) -> Result<(), BpfError> {
        sys::attach_filter(socket, self.slow.as_fd()).map_err(|source| BpfError::System {
            what: "cannot filter the slow path",
            source,
        })
    }

    /// What a program makes of `frame`: its verdict and the frame then. As
    /// [`Self::test_run`].
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn test_change(&self, program: Program, frame: &[u8]) -> Result<(u32, Vec<u8>), BpfError> {
        sys::test_change(self.program(program)?, frame).map_err(|source| BpfError::System {
            what: "cannot test a program",
            source,
        })
    }

    fn program(&self, program: Program) -> Result<BorrowedFd<'_>, BpfError> {
        match program {
            Program::Xdp => Ok(self.xdp.as_fd()),
            Program::Tcx => Ok(self.tcx.as_fd()),
            Program::Reflect => match &self.reflect_program {
                Ok(program) => Ok(program.as_fd()),
                Err(_) => Err(BpfError::Missing("failoverd_reflect")),
            },
            Program::Fence => self.fences.tcx(),
            Program::FenceXdp => self.fences.xdp(),
        }
    }

    /// Runs a program on `frame`, which must hold an Ethernet header, as if it
    /// had come in on the loopback interface. Maps change as in earnest.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn test_run(
        &self,
        program: Program,
        frame: &[u8],
        repeat: u32,
    ) -> Result<TestRun, BpfError> {
        sys::test_run(self.program(program)?, frame, repeat).map_err(|source| BpfError::System {
            what: "cannot test a program",
            source,
        })
    }
}
