//! A configuration as keepalived.conf text: what is in force, said in full.
//!
//! Parsing the text gives the same model again. Includes, conditions,
//! definitions and global defaults are carried out in it, numbers are all
//! there, and switches where they are not at keepalived's default. Keywords
//! that nothing acts on yet are not part of the model, and so not of the text.
//!
//! Every struct of the model is taken apart by name in exactly one function, so
//! that a field that is added cannot be forgotten: `Config` here, the rest in
//! [`instance`] and [`vip`]. [`writer`] knows blocks and quotes, and nothing of
//! keywords.

mod instance;
mod vip;
mod writer;

use self::writer::Writer;
use super::diff::{HIDDEN, Portrait, SECRET};
use super::model::Config;

/// What becomes of passwords.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secrets {
    /// A comment stands in their place, so that the text can be shown to
    /// others. Read again it is a configuration without them.
    Hidden,
    Shown,
}

/// The text of `config`, in the order of its instances. Its size has no other
/// bound than that of the model: thousands of VIPs may be more than one file
/// may have.
pub fn print(config: &Config, secrets: Secrets) -> String {
    let Config {
        router_id,
        instances,
    } = config;
    let mut writer = Writer::default();
    if let Some(router_id) = router_id {
        writer.block("global_defs", |writer| {
            writer.set("router_id", router_id);
        });
    }
    for one in instances {
        instance::print(one, secrets, &mut writer);
    }
    writer.finish()
}

/// For tools: by keyword, with the passwords themselves or without anything of
/// them.
pub fn portrait(config: &Config, secrets: Secrets) -> Portrait {
    let mut portrait = Portrait::from(config);
    for (one, shown) in config.instances.iter().zip(&mut portrait.instances) {
        if let Some(password) = &one.password {
            let text = match secrets {
                Secrets::Hidden => HIDDEN.to_owned(),
                Secrets::Shown => instance::clear(password),
            };
            shown.values.insert(SECRET.to_owned(), vec![text]);
        }
    }
    portrait
}

#[cfg(test)]
mod tests;
