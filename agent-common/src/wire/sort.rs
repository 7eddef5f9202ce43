//! What a frame could be, by one look: most frames on a link are nobody's, and
//! pay for every look at them.

use super::{
    Bytes,
    approach::is_solicitation,
    bfd,
    ethernet::{self, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6},
    ipv4, ipv6,
};

/// What a frame could be; the parsers decide.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sort {
    /// As by [`super::scan`].
    Advert,
    /// As by [`bfd::scan_probe`].
    Probe,
    /// As by [`super::approach::scan_question`].
    Question,
    /// Nothing of all that.
    Other,
}

/// The three scans in one, in this order.
#[inline(always)]
pub fn sort<F: Bytes + ?Sized>(frame: &F, out_of_band: Option<u16>) -> Sort {
    let Some(payload) = ethernet::payload(frame, out_of_band) else {
        return Sort::Other;
    };
    let at = payload.at;
    match payload.ethertype {
        ETHERTYPE_IPV4 if ipv4::scan(frame, at) => Sort::Advert,
        ETHERTYPE_IPV4 if bfd::scan_ipv4(frame, at) => Sort::Probe,
        ETHERTYPE_IPV6 if ipv6::scan(frame, at) => Sort::Advert,
        ETHERTYPE_IPV6 if bfd::scan_ipv6(frame, at) => Sort::Probe,
        ETHERTYPE_IPV6 if is_solicitation(frame, at) => Sort::Question,
        ETHERTYPE_ARP => Sort::Question,
        _ => Sort::Other,
    }
}
