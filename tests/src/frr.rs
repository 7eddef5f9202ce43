//! frr placeholder
