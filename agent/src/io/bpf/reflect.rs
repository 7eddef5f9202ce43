//! The reflector: for whom probes are answered, and by which program.

use std::os::fd::{AsFd as _, OwnedFd};

use agent_common::{
    KernelTime,
    record::{Lease, ReflectCounters, ReflectKey, ReflectTarget},
};

use super::{
    Backend, BpfError, Kernel,
    attach::{BPF_F_BEFORE, BPF_TCX_INGRESS},
    error::failed,
    ethtool, sys,
};

/// The program that answers probes on a link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reflector {
    /// XDP sends the answer from the driver.
    Xdp,
    /// tcx sends it back, after XDP and before the stack.
    Tcx,
    /// The agent itself, where the kernel has no program for it.
    User,
}

impl Reflector {
    /// A stable name for status.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::Tcx => "tcx",
            Self::User => "user",
        }
    }

    /// The value of [`ReflectTarget::hook`].
    pub const fn hook(self) -> u8 {
        match self {
            Self::Xdp => agent_common::record::reflect_hook::XDP,
            Self::Tcx => agent_common::record::reflect_hook::TCX,
            Self::User => agent_common::record::reflect_hook::USER,
        }
    }
}

/// How probes are answered on one link; detached when dropped.
#[derive(Debug)]
pub struct Reflecting {
    pub reflector: Reflector,
    /// Of tcx, which has a program of its own for it.
    _link: Option<OwnedFd>,
}

impl Kernel {
    /// Makes ready to answer probes on an interface whose adverts come by
    /// `backend`.
    ///
    /// An answer must leave by a way that is known to lead out of the machine:
    /// that of our adverts, which others hear. tcx takes it, and so does XDP in
    /// generic mode. What native XDP sends goes by queues of its own, which
    /// some drivers lack on some machines, and which end at a veth pair unless
    /// its other end has an XDP program too; nobody can see that from here. So
    /// it answers only where there is no tcx, and not on veth.
    ///
    /// # Errors
    ///
    /// The reason, where the machine lets us have neither.
    pub fn reflect_on(
        &self,
        ifindex: u32,
        ifname: &str,
        backend: Backend,
    ) -> Result<Reflecting, String> {
        let by_xdp = || Reflecting {
            reflector: Reflector::Xdp,
            _link: None,
        };
        if backend == Backend::XdpGeneric {
            return Ok(by_xdp());
        }
        let refused = match self.reflect_by_tcx(ifindex) {
            Ok(link) => {
                return Ok(Reflecting {
                    reflector: Reflector::Tcx,
                    _link: Some(link),
                });
            }
            Err(refused) => refused,
        };
        let other_driver = ethtool::driver(ifname).is_some_and(|driver| driver != "veth");
        if backend == Backend::XdpNative && other_driver {
            return Ok(by_xdp());
        }
        Err(refused)
    }

    fn reflect_by_tcx(&self, ifindex: u32) -> Result<OwnedFd, String> {
        let program = match &self.reflect_program {
            Ok(program) => program.as_fd(),
            Err(error) => return Err(error.to_string()),
        };
        sys::link_create(program, ifindex, BPF_TCX_INGRESS, BPF_F_BEFORE).map_err(|error| {
            match error.raw_os_error() {
                Some(libc::EINVAL) => "this kernel has no tcx (Linux 6.6)".to_owned(),
                Some(_) | None => error.to_string(),
            }
        })
    }

    /// Answers probes for a virtual router from now on, in the place of what
    /// its slot had before.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn set_target(&mut self, key: &ReflectKey, target: &ReflectTarget) -> Result<(), BpfError> {
        if self.targets.get(&target.slot).is_some_and(|old| old != key) {
            self.remove_target(target.slot)?;
        }
        sys::map_update(
            self.reflect.as_fd(),
            bytemuck::bytes_of(key),
            bytemuck::bytes_of(target),
        )
        .map_err(failed("cannot set for whom probes are answered"))?;
        self.targets.insert(target.slot, *key);
        Ok(())
    }

    /// Answers none any more for a slot.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn remove_target(&mut self, slot: u32) -> Result<(), BpfError> {
        let Some(key) = self.targets.remove(&slot) else {
            return Ok(());
        };
        let failed = failed("cannot end answering probes");
        // A new instance may have taken it over in another slot.
        if !self.targets.values().any(|other| *other == key) {
            sys::map_delete(self.reflect.as_fd(), bytemuck::bytes_of(&key)).map_err(&failed)?;
        }
        // Its successor in the slot counts from zero.
        let cpus = aya::util::nr_cpus().map_err(|(_what, source)| failed(source))?;
        let none = vec![ReflectCounters::default(); cpus];
        let value = bytemuck::cast_slice(none.as_slice());
        sys::map_update(self.reflected.as_fd(), &slot.to_ne_bytes(), value).map_err(failed)
    }

    /// Until when a slot may be said to be served; `None` where it is not.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn lease(&self, slot: u32) -> Result<Option<KernelTime>, BpfError> {
        let mut lease = Lease::default();
        let value = bytemuck::bytes_of_mut(&mut lease);
        sys::map_lookup(self.leases.as_fd(), &slot.to_ne_bytes(), value)
            .map_err(failed("cannot read a lease"))?;
        Ok(Some(KernelTime(lease.until_ns)).filter(|until| until.nanos() > 0))
    }

    /// As the fast lane does, before it runs.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`] for a slot that does not exist.
    pub fn set_lease(&self, slot: u32, until: KernelTime) -> Result<(), BpfError> {
        let lease = Lease {
            until_ns: until.nanos(),
            other_until_ns: 0,
        };
        let value = bytemuck::bytes_of(&lease);
        sys::map_update(self.leases.as_fd(), &slot.to_ne_bytes(), value)
            .map_err(failed("cannot set a lease"))
    }

    /// What became of the probes of a slot, summed over all CPUs; slot 0 counts
    /// those of nobody here. Allocates.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn reflected(&self, slot: u32) -> Result<ReflectCounters, BpfError> {
        let failed = failed("cannot read the counters of the reflector");
        let cpus = aya::util::nr_cpus().map_err(|(_what, source)| failed(source))?;
        let mut per_cpu = vec![ReflectCounters::default(); cpus];
        let value = bytemuck::cast_slice_mut(per_cpu.as_mut_slice());
        sys::map_lookup(self.reflected.as_fd(), &slot.to_ne_bytes(), value).map_err(failed)?;
        let mut sum = ReflectCounters::default();
        for ReflectCounters {
            up,
            down,
            stale,
            passed,
        } in per_cpu
        {
            sum.up = sum.up.wrapping_add(up);
            sum.down = sum.down.wrapping_add(down);
            sum.stale = sum.stale.wrapping_add(stale);
            sum.passed = sum.passed.wrapping_add(passed);
        }
        Ok(sum)
    }
}
