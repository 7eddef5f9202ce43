//! The blocks of a configuration, and the lists that have no keywords inside.

macro_rules! blocks {
    ($($variant:ident = $name:literal,)+) => {
        /// Where keywords stand.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Block {
            $($variant,)+
        }

        impl Block {
            /// The outermost first, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

blocks! {
    Root = "the top level",
    GlobalDefs = "global_defs",
    VrrpInstance = "vrrp_instance",
    Authentication = "authentication",
    AuthHmac = "auth_hmac",
    SyncGroup = "vrrp_sync_group",
    VrrpScript = "vrrp_script",
    TrackFile = "track_file",
    TrackProcess = "vrrp_track_process",
    TrackGroup = "track_group",
    GarpGroup = "garp_group",
    BfdInstance = "bfd_instance",
    Ssl = "SSL",
    VirtualServer = "virtual_server",
    RealServer = "real_server",
    HttpGet = "HTTP_GET",
    SslGet = "SSL_GET",
    Url = "url",
    TcpCheck = "TCP_CHECK",
    SmtpCheck = "SMTP_CHECK",
    SmtpHost = "host",
    DnsCheck = "DNS_CHECK",
    MiscCheck = "MISC_CHECK",
    UdpCheck = "UDP_CHECK",
    PingCheck = "PING_CHECK",
    FileCheck = "FILE_CHECK",
    BfdCheck = "BFD_CHECK",
}

impl Block {
    /// A checker of a real server.
    pub const fn is_checker(self) -> bool {
        matches!(
            self,
            Self::HttpGet
                | Self::SslGet
                | Self::TcpCheck
                | Self::SmtpCheck
                | Self::DnsCheck
                | Self::MiscCheck
                | Self::UdpCheck
                | Self::PingCheck
                | Self::FileCheck
                | Self::BfdCheck
        )
    }
}

/// A block of entries, one a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum List {
    /// Anything: mail addresses.
    Words,
    /// Names of `vrrp_instance`s.
    Instances,
    Interfaces,
    /// Interfaces with, perhaps, a weight.
    TrackInterfaces,
    TrackScripts,
    TrackFiles,
    TrackProcesses,
    TrackBfds,
    Vips,
    StaticAddresses,
    Routes,
    StaticRoutes,
    Rules,
    StaticRules,
    Peers,
    /// Interface, seconds down, perhaps seconds up.
    Delays,
    /// Interface and, perhaps, a way of polling.
    Linkbeats,
    /// Of a `virtual_server_group`.
    Services,
}

impl List {
    /// One entry, for the documentation.
    pub const fn usage(self) -> &'static str {
        match self {
            Self::Words => "WORD",
            Self::Instances => "INSTANCE",
            Self::Interfaces => "INTERFACE",
            Self::TrackInterfaces => "INTERFACE [weight N [reverse]]",
            Self::TrackScripts => "SCRIPT [weight N [reverse]]",
            Self::TrackFiles => "FILE [weight N [reverse]]",
            Self::TrackProcesses => "PROCESS [weight N [reverse]]",
            Self::TrackBfds => "BFD [weight N [reverse]]",
            Self::Vips | Self::StaticAddresses => "ADDRESS[/LEN] [options]",
            Self::Routes | Self::StaticRoutes => "DESTINATION [options]",
            Self::Rules | Self::StaticRules => "[from NET] [to NET] [options]",
            Self::Peers => "ADDRESS [min_ttl N] [max_ttl N]",
            Self::Delays => "INTERFACE SECONDS [SECONDS]",
            Self::Linkbeats => "INTERFACE [MII|ETHTOOL|IOCTL]",
            Self::Services => "ADDRESS[-ADDRESS|/LEN] [PORT] | fwmark N [inet|inet6]",
        }
    }
}
