//! The supported keywords, for exhaustive matches.

/// A supported keyword, for the exhaustive matches of `lower`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Key {
    Root(RootKey),
    Global(GlobalKey),
    Instance(InstanceKey),
    Auth(AuthKey),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RootKey {
    GlobalDefs,
    VrrpInstance,
    Instance,
    NetNamespace,
    UsePidDir,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GlobalKey {
    RouterId,
    Version,
    Garp(GarpKey),
    DownTimerAdverts,
    LowerPrioNoAdvert,
    HigherPrioSendAdvert,
    V3ChecksumAsV2,
    CheckUnicastSrc,
    OwnerIgnoreAdverts,
    Files(FilesKey),
}

/// The files that the agent writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FilesKey {
    StateDump,
    StatsDump,
    JsonDump,
    JsonVersion,
    DataUseInstance,
    ReloadFile,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum InstanceKey {
    State,
    Interface,
    VirtualRouterId,
    Priority,
    AdvertInt,
    Version,
    NativeIpv6,
    Authentication,
    UnicastSrcIp,
    UnicastPeer,
    McastSrcIp,
    CheckUnicastSrc,
    VirtualIpaddress,
    VirtualIpaddressExcluded,
    TrackInterface,
    Preempt,
    Nopreempt,
    PreemptDelay,
    Garp(GarpKey),
    DownTimerAdverts,
    LowerPrioNoAdvert,
    HigherPrioSendAdvert,
    V3ChecksumAsV2,
    OwnerIgnoreAdverts,
}

/// `garp_*` of an instance and `vrrp_garp_*` of the globals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GarpKey {
    Delay,
    Repeat,
    Refresh,
    RefreshRepeat,
    LowerPrioDelay,
    LowerPrioRepeat,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuthKey {
    Type,
    Pass,
}
