//! keepalived.conf: lexer > tolerant tree > lowering by one keyword table > validated model.

pub mod model;

pub use model::{Config, IfName, Instance, Vip};
