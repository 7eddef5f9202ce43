//! The supported keywords, for exhaustive matches.

/// A supported keyword, for the exhaustive matches of `lower`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Key {
    Root(RootKey),
    Global(GlobalKey),
    Instance(InstanceKey),
    Auth(AuthKey),
    /// Health and sync groups: taken by name, see `lower::track`.
    Track(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RootKey {
    GlobalDefs,
    VrrpInstance,
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
    ScriptUser,
    /// What it asks for is always so.
    ScriptSecurity,
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
