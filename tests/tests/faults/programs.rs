//! BPF programs that somebody else touches, or that cannot be had.
