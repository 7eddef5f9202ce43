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
    /// Scripts, FIFOs and mail: taken by name, see `lower::tell`.
    Tell(&'static str),
    /// Virtual servers: taken by name, see `lower::lvs`.
    Lvs(&'static str),
    GarpGroup(GarpGroupKey),
    /// `group` of a track_group.
    TrackGroup,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RootKey {
    GlobalDefs,
    VrrpInstance,
    GarpGroup,
    UpDownDelays,
    StaticIpaddress,
    StaticRoutes,
    StaticRules,
    TrackGroup,
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
    ScriptUser,
    /// What it asks for is always so.
    ScriptSecurity,
    GarpInterval,
    GnaInterval,
    MinGarp,
    McastGroup4,
    McastGroup6,
    DisableLocalIgmp,
    SkipCheckAdvAddr,
    MaxLearnedInterval,
    Strict,
    StartupDelay,
    DelayAfterBoot,
    LogUnknownVrids,
    DynamicInterfaces,
    DefaultInterface,
    Process(ProcessKey),
    Nftables,
    NftablesPriority,
    NftablesIfindex,
    NftablesCounters,
    IprouteUsrDir,
    IprouteEtcDir,
    VmacPrefix,
    VmacAddrPrefix,
    Files(FilesKey),
}

/// How the agent itself is to run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProcessKey {
    Priority,
    RtPriority,
    Affinity,
    RtTime,
    Umask,
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
    VirtualRoutes,
    VirtualRules,
    DontTrackPrimary,
    Preempt,
    Nopreempt,
    PreemptDelay,
    Garp(GarpKey),
    DownTimerAdverts,
    LowerPrioNoAdvert,
    HigherPrioSendAdvert,
    FastDetect,
    V3ChecksumAsV2,
    OwnerIgnoreAdverts,
    McastDstIp,
    UnicastTtl,
    UnicastFaultNoPeer,
    OldUnicastChecksum,
    SkipCheckAdvAddr,
    AllowedSources,
    MaxLearnedInterval,
    StrictMode,
    Accept,
    NoAccept,
    PromoteSecondaries,
    NoVirtualIpaddress,
    UseVmac,
    UseVmacAddr,
    VmacXmitBase,
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
    ExtraIf,
}

/// Of a `garp_group`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GarpGroupKey {
    GarpInterval,
    GnaInterval,
    Interface,
    Interfaces,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuthKey {
    Type,
    Pass,
}
