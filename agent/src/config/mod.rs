//! keepalived.conf: language > lexer > tolerant tree > lowering by one keyword table > validated model.
//!
//! It never fails half-way: all problems of a file come out together as
//! [`Diagnostic`]s, each with its place and remedy, and the [`Config`] comes
//! out only where none of them is an error. Whether an interface exists is not
//! asked here: nothing in this module looks at the machine but [`load`], which
//! reads the file and what it includes.

pub mod address;
pub mod diagnostic;
pub mod diff;
pub mod files;
pub mod iproute;
pub mod keywords;
mod language;
mod lexer;
mod load;
mod lower;
pub mod machine;
pub mod model;
pub mod print;
pub mod reference;
mod scripts;
mod sink;
mod survey;
mod text;
mod tree;
mod verdict;

#[cfg(test)]
mod tests;

pub use address::{AddressOptions, Firewall, StaticAddress};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use files::{Files, JsonVersion};
pub use load::{Loaded, load, load_as, load_input, load_with, parse_bytes, parse_str};
pub use lower::{MAX_ADVERTISED, MAX_INSTANCES, MAX_PEERS};
pub use model::{Config, IfName, Instance, Vip};
pub use scripts::{Script, Scripts};
pub use verdict::verdict;

pub(crate) use lower::{
    cut_password, decimal_micros, family_name, family_of, parse_host, parse_vip_address, useless,
};
