//! What cannot take over is refused, and everything goes on.
