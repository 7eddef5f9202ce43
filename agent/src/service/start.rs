//! From a configuration to a running fast lane, in an order that leaves the
//! machine untouched when something is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::AsFd,
    sync::Arc,
};

use agent_common::{Family, KernelTime};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{
    Failure, Heritage, Marks, Options, Seat, Service, alarms::Alarms, claims::Claims,
    confine::Standing, debounce::Debounce, fence::Fences, health::Health, held::Held,
    igmp::LocalIgmp, links::Links, lock::Locks, machine::Machine, picture::Pending,
    process::Placement, reflect::Reflectors, refusals, reload::named_interfaces, reports::Reporter,
    strangers::Strangers, telling::Telling, vmac::VirtualLinks,
};
use crate::{
    config::{AddressOptions, Config, IfName, Instance, Vip},
    core::InstanceId,
    flight::book::Book,
    io::{
        advert::Transmitters,
        announce::Announcer,
        bpf::{Backend, Kernel},
        clock,
        driver::{Driver, Heir, Sockets},
        hands::Grip,
        lane,
        netlink::{
            batch::{AddressPlan, CommandSocket},
            monitor::Monitor,
            paths::PathPlan,
            survey::{Address, World, survey},
        },
        plan,
        receive::{refusal::Refusal, slow::SlowReceiver},
    },
    sandbox::{Confinement, Role},
    tell::feed::Feed,
};

impl Service {
    pub(super) async fn start(
        config: Config,
        options: Options,
        placement: Placement,
        mut heritage: Option<&mut Heritage>,
    ) -> Result<Self, Failure> {
        let families = |family| {
            config
                .instances
                .iter()
                .any(|instance| instance.family == family)
        };
        let (v4, v6) = (families(Family::V4), families(Family::V6));
        let transmitters =
            Transmitters::open(v4, v6).map_err(Failure::runtime("cannot open raw sockets"))?;
        let ids: Vec<(InstanceId, KernelTime)> = match &heritage {
            Some(heritage) => heritage.seats(&config.instances)?,
            None => {
                let ids = (1..).map(|id| (InstanceId(id), clock::now()));
                ids.take(config.instances.len()).collect()
            }
        };
        let mut locks = Locks::default();
        if let Some(heritage) = &mut heritage {
            locks.adopt(std::mem::take(&mut heritage.locks));
        }
        locks.take(&config.instances)?;
        let (connection, handle, _) = rtnetlink::new_connection()
            .map_err(Failure::runtime("cannot open a netlink socket"))?;
        tokio::spawn(connection);
        let world = look(&handle).await?;
        if !config.interfaces.dynamic {
            let names = config.instances.iter().flat_map(named_interfaces);
            check_interfaces(names, &config, &world)?;
        }
        let (tell, refused) = mpsc::channel(refusals::ROOM);
        let mut kernel = load_kernel(&options, tell)?;
        let maps = match &mut kernel {
            Some(kernel) => Some(kernel.fast_maps().map_err(|error| Failure::Runtime {
                what: "cannot use the BPF maps".to_owned(),
                source: io::Error::other(error.to_string()),
            })?),
            None => None,
        };
        let mut command =
            CommandSocket::open().map_err(Failure::runtime("cannot open a netlink socket"))?;
        let mut machine = Machine::new()?;
        let mut links = Links::default();
        let world = match &mut heritage {
            None => {
                // Adverts may have to come from one of them.
                machine.statics.apply(&config.static_addresses, &world)?;
                let world = match machine.statics.take_changed() {
                    true => look(&handle).await?,
                    false => world,
                };
                check_own_addresses(&config, &world)?;
                remove_strays(&mut command, &config, &world)?;
                world
            }
            // What is on the machine is in use.
            Some(heritage) => {
                links.adopt(std::mem::take(&mut heritage.links), kernel.as_mut())?;
                world
            }
        };
        let sockets = Sockets {
            transmitters,
            monitor: Monitor::open().map_err(Failure::runtime(
                "cannot listen to the kernel's announcements",
            ))?,
            slow: slow_receivers(v4, v6, &kernel)
                .map_err(Failure::runtime("cannot open raw sockets"))?,
            maps,
        };
        let (slow_end, fast_end) =
            lane::pair().map_err(Failure::runtime("cannot connect the lanes"))?;
        let mut health = Health::new(&config, &world, heritage.is_some());
        if let Some(heritage) = &mut heritage {
            health.inherit(std::mem::take(&mut heritage.readings));
        }
        let mut reporter = Reporter::new();
        health
            .groups()
            .for_each(|(id, name)| reporter.name_group(id, name));
        let mut seats = Vec::with_capacity(config.instances.len());
        let mut cores = Vec::with_capacity(config.instances.len());
        for ((id, began), instance) in ids.into_iter().zip(&config.instances) {
            let core = plan::core_config(id, instance, health.standing(instance).0);
            reporter.name_it(id, instance);
            seats.push(Seat {
                told: Some(core),
                began,
                ..Seat::new(id)
            });
            cores.push(core);
        }
        let is_heir = heritage.is_some();
        let mut virtual_links = VirtualLinks::default();
        if let Some(heritage) = &mut heritage {
            let before = std::mem::take(&mut heritage.before).into_iter();
            before.for_each(|before| virtual_links.quiet.foretell(before));
        }
        let mut debounce = Debounce::default();
        let held = match &mut heritage {
            Some(heritage) => {
                debounce.inherit(std::mem::take(&mut heritage.settling));
                Held::until_then(heritage.held_until)
            }
            None => Held::new(config.start_delay),
        };
        let heir = heritage.and_then(|heritage| heritage.fast.take());
        let heir = heir.map(|socket| Box::new(Heir::new(socket)));
        let process = config.process.clone();
        let confine = |role| options.sandbox.then(|| Confinement::prepare(role, &[]));
        let confinement = confine(Role::FastLane);
        let announcer =
            Announcer::open().map_err(Failure::runtime("cannot open a packet socket"))?;
        let hands = Grip::start(
            command,
            announcer,
            fast_end.teller(),
            process.clone(),
            confine(Role::Hands),
        )
        .map_err(Failure::runtime("cannot start the thread for addresses"))?;
        let driver = Driver::new(cores, sockets, hands, fast_end, heir)
            .map_err(Failure::runtime("cannot set up the fast lane"))?;
        let fast = std::thread::Builder::new()
            .name("failoverd-fast".to_owned())
            .spawn(move || driver.run(&process, confinement))
            .map_err(Failure::runtime("cannot start the fast lane"))?;
        let wake = slow_end.wake_fd().try_clone_to_owned();
        let wake = wake
            .and_then(super::readable)
            .map_err(Failure::runtime("cannot wait for the fast lane"))?;
        let (guard, requests) = match options.supervisor {
            Some(supervisor) => (Some(supervisor.guard), supervisor.requests),
            None => (None, None),
        };
        let feed = Feed::new();
        let telling = Telling::new(&config, &seats, feed.clone(), is_heir);
        Ok(Self {
            telling,
            sandboxed: options.sandbox,
            standing: Standing::default(),
            feed,
            links_seen: super::events::Seen::new(),
            reporter,
            flights: Book::default(),
            health,
            refused,
            alarms: Alarms::default(),
            alarms_at: None,
            held,
            igmp: LocalIgmp::default(),
            ipvs: super::Ipvs::new(options.ipvs, is_heir),
            strangers: Strangers::default(),
            claims: Claims::default(),
            reflectors: Reflectors::default(),
            fences: Fences::default(),
            pending: Pending::new(),
            seats,
            leaving: Vec::new(),
            baselines: BTreeMap::new(),
            askers: super::heart::Provided::default(),
            families: [(Family::V4, v4), (Family::V6, v6)],
            file: options.file,
            config_id: options.config_id,
            all_config: options.all_config,
            namespace: options.namespace,
            dumps: options.dumps,
            cleared: super::Cleared::new(),
            wake,
            look_at: None,
            marks: Marks::default(),
            policy: options.policy,
            guard,
            requests: requests.map(Arc::new),
            arguments: options.arguments,
            control: None,
            upgrading: None,
            handed_over: None,
            is_heir,
            took_over: false,
            reload_first: false,
            carried: BTreeMap::new(),
            handle,
            kernel,
            links,
            lane: slow_end,
            fast: Some(fast),
            placement,
            debounce,
            resync_at: None,
            running: false,
            dropped: 0,
            config,
            locks,
            machine,
            virtual_links,
        })
    }
}

async fn look(handle: &rtnetlink::Handle) -> Result<World, Failure> {
    survey(handle).await.map_err(|error| Failure::Runtime {
        what: "cannot ask the kernel for links and addresses".to_owned(),
        source: io::Error::other(error.to_string()),
    })
}

/// A name that is no interface's is a slip more often than a wish.
pub(super) fn check_interfaces<'a>(
    mut names: impl Iterator<Item = &'a str>,
    config: &Config,
    world: &World,
) -> Result<(), Failure> {
    let ours = config.instances.iter().flat_map(Instance::virtual_links);
    let ours: BTreeSet<&str> = ours.map(|link| link.name.as_str()).collect();
    match names.find(|name| world.link(name).is_none() && !ours.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let names: Vec<_> = world.links.iter().map(|link| link.name.as_str()).collect();
            Err(Failure::UnknownInterface {
                name: name.to_owned(),
                existing: names.join(", "),
            })
        }
    }
}

/// `None` where BPF cannot be used and need not be.
fn load_kernel(options: &Options, tell: mpsc::Sender<Refusal>) -> Result<Option<Kernel>, Failure> {
    if options
        .policy
        .order
        .iter()
        .all(|backend| *backend == Backend::RawSocket)
    {
        return Ok(None);
    }
    match Kernel::load() {
        Ok(mut kernel) => {
            match kernel.log_task(Some(tell)) {
                Ok(task) => drop(tokio::spawn(task)),
                Err(error) => warn!("the XDP program's log lines cannot be read: {error}"),
            }
            Ok(Some(kernel))
        }
        Err(error) if options.policy.insists() => Err(Failure::Backend(error.to_string())),
        Err(error) => {
            warn!("BPF cannot be used, adverts are read through raw sockets: {error}");
            Ok(None)
        }
    }
}

/// A VIP that is the only address to send adverts from is most likely the
/// machine's own, and removing it would cut the operator off.
fn check_own_addresses(config: &Config, world: &World) -> Result<(), Failure> {
    for instance in &config.instances {
        let Some(link) = world.link(instance.interface.as_str()) else {
            continue;
        };
        let own = world
            .addresses_on(link.ifindex)
            .find(|found| instance.vips.iter().any(|vip| vip.address == found.address));
        if let Some(own) = own
            && plan::source_address(instance, link, world).is_none()
        {
            return Err(Failure::OwnAddress {
                vip: own.address.to_string(),
                interface: instance.interface.to_string(),
            });
        }
    }
    Ok(())
}

/// A crash may have left VIPs behind. This is also the first change that we
/// ask of the kernel, so a missing permission shows here.
fn remove_strays(
    command: &mut CommandSocket,
    config: &Config,
    world: &World,
) -> Result<(), Failure> {
    for instance in &config.instances {
        let home = |vip: &Vip| {
            world
                .link(instance.home(vip).as_str())
                .map(|link| link.ifindex)
        };
        let placed = instance
            .vips
            .iter()
            .filter_map(|vip| Some((vip, home(vip)?)));
        let mut strays = Vec::new();
        for (vip, ifindex) in placed {
            let found = world
                .addresses_on(ifindex)
                .filter(|found| found.address == vip.address);
            let before = strays.len();
            strays.extend(found.map(|found| (as_found(instance, vip, found), ifindex)));
            if strays.len() > before {
                info!(
                    "({}) VIP {} is on {} already, as after a crash: removing it",
                    instance.name,
                    vip.address,
                    instance.home(vip)
                );
            } else {
                // Asked for all the same: a missing permission shows.
                strays.push((vip.clone(), ifindex));
            }
        }
        remove_stray_paths(command, instance, world)?;
        let mut plan = AddressPlan::new(strays.iter().map(|(vip, ifindex)| (vip, *ifindex)));
        let result = command
            .remove_all(&mut plan)
            .map_err(Failure::runtime("cannot remove addresses"))?;
        match result.first_errno {
            libc::EPERM => {
                return Err(Failure::Permission {
                    what: "change addresses".to_owned(),
                });
            }
            0 => {}
            errno => warn!(
                "({}) cannot remove VIPs that an earlier run left: {}",
                instance.name,
                io::Error::from_raw_os_error(errno)
            ),
        }
    }
    Ok(())
}

/// By our protocol number, unless the file says another one.
fn remove_stray_paths(
    command: &mut CommandSocket,
    instance: &Instance,
    world: &World,
) -> Result<(), Failure> {
    let index = |name: &IfName| world.link(name.as_str()).map(|link| link.ifindex);
    let mut plan = PathPlan::new(&instance.paths, index);
    let result = command
        .remove_paths(&mut plan)
        .map_err(Failure::runtime("cannot remove routes"))?;
    if result.failed > 0 {
        let what = instance.paths.line(result.first).unwrap_or_default();
        warn!(
            "({}) cannot make sure that no earlier run left the {what}: {}",
            instance.name,
            io::Error::from_raw_os_error(result.first_errno)
        );
    }
    Ok(())
}

/// The kernel removes only what has the prefix and the label that it is asked
/// for, and an earlier run may have had others. The owner's VIP can be the
/// address of the machine itself: only what is configured is taken for left.
fn as_found(instance: &Instance, vip: &Vip, found: &Address) -> Vip {
    match instance.priority.is_owner() {
        true => vip.clone(),
        false => Vip {
            prefix: found.prefix,
            label: None,
            options: AddressOptions {
                peer: found.peer,
                ..vip.options
            },
            ..vip.clone()
        },
    }
}

/// A socket filter keeps adverts that BPF decided from waking the agent a
/// second time.
fn slow_receivers(v4: bool, v6: bool, kernel: &Option<Kernel>) -> io::Result<Vec<SlowReceiver>> {
    let wanted = [(v4, Family::V4), (v6, Family::V6)];
    let mut receivers = Vec::new();
    for (_, family) in wanted.into_iter().filter(|(wanted, _)| *wanted) {
        let receiver = SlowReceiver::open(family)?;
        if let Some(kernel) = kernel
            && let Err(error) = kernel.slow_filter(receiver.as_fd())
        {
            warn!("steady adverts will wake the agent: {error}");
        }
        receivers.push(receiver);
    }
    Ok(receivers)
}
