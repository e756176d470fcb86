//! The real gateway in this process, against backends on loopback.

mod basics;
mod world;
