//! What an advert carries besides addresses: the interval and the password.

use agent_common::{AdvertInterval, Version};

use super::instance::{Authentication, Draft};
use super::value::{MICROS, seconds};
use crate::config::diagnostic::Code;
use crate::config::model::Password;
use crate::config::sink::Sink;

/// Microseconds of a centisecond, the unit of v3.
const CENTI: u64 = MICROS / 100;

/// The value that keepalived substitutes where the version cannot carry the
/// one given (T-15).
pub fn interval(draft: &Draft, version: Version, sink: &mut Sink) -> AdvertInterval {
    let Some((micros, span)) = draft.interval else {
        return AdvertInterval::DEFAULT;
    };
    let title = draft.title();
    let given = seconds(micros);
    // Both round half up; the range of the value was checked when it was read.
    let (used, code, message) = match version {
        Version::V2 => {
            let whole = micros.saturating_add(MICROS / 2) / MICROS;
            let whole = u8::try_from(whole).unwrap_or(u8::MAX).max(1);
            let message =
                format!("{title} VRRPv2 sends whole seconds only: {given} is rounded to {whole}");
            (
                AdvertInterval::from_v2_seconds(whole),
                Code::Rounded,
                message,
            )
        }
        Version::V3
            if micros >= u64::from(AdvertInterval::MAX_V3.centis()).saturating_add(1) * CENTI =>
        {
            let message =
                format!("{title} advert_int {given} is more than VRRPv3 can send: 40.95 is used");
            (Some(AdvertInterval::MAX_V3), Code::OutOfRange, message)
        }
        Version::V3 => {
            let centis = micros.saturating_add(CENTI / 2) / CENTI;
            let centis = u16::try_from(centis)
                .unwrap_or(u16::MAX)
                .min(AdvertInterval::MAX_V3.centis());
            let message = format!(
                "{title} VRRPv3 sends steps of 10 ms: {given} is rounded to {}",
                seconds(u64::from(centis).saturating_mul(CENTI))
            );
            (AdvertInterval::from_centis(centis), Code::Rounded, message)
        }
    };
    let used = used.unwrap_or(AdvertInterval::DEFAULT);
    if u64::from(used.centis()).saturating_mul(CENTI) != micros {
        let hint = sink.warn(code, span, message);
        match version {
            Version::V2 => {
                hint.help("use version 3 on all routers of this VRID for a shorter interval")
            }
            Version::V3 => hint.help("keepalived uses the same value"),
        }
    }
    used
}

pub fn password(draft: &Draft, version: Version, sink: &mut Sink) -> Option<Password> {
    let Authentication {
        span,
        typed,
        password,
    } = draft.authentication.as_ref()?;
    let title = draft.title();
    if version == Version::V3 {
        let message = format!("{title} VRRP version 3 does not support authentication. Ignoring.");
        sink.warn(Code::PasswordUnused, *span, message)
            .help("remove the authentication block, or use version 2 on all routers");
        return None;
    }
    let Some(password) = password
        .as_ref()
        .filter(|password| !password.text.is_empty())
    else {
        let message = format!("{title} Authentication specified but no password given. Ignoring");
        let hint = if *typed {
            sink.warn(Code::PasswordUnused, *span, message)
        } else {
            sink.trap(Code::PasswordUnused, *span, message)
        };
        hint.help("add auth_pass");
        return None;
    };
    if !typed {
        let message = format!("{title} auth_pass without auth_type is ignored");
        sink.trap(Code::PasswordUnused, *span, message)
            .help("add auth_type PASS");
        return None;
    }
    let (used, truncated) = cut(&password.text);
    if truncated {
        let message = format!("{title} Truncating auth_pass to 8 characters");
        sink.warn(Code::PasswordTruncated, password.span, message)
            .help("the advert carries 8 bytes; all routers use the first 8");
    }
    Some(used)
}

/// The first 8 bytes, zero padded (F-27), and whether there were more.
pub fn cut(text: &str) -> (Password, bool) {
    let mut bytes = [0; 8];
    for (slot, byte) in bytes.iter_mut().zip(text.bytes()) {
        *slot = byte;
    }
    (Password(bytes), text.len() > bytes.len())
}
