//! Weighing, and what a reload keeps.
