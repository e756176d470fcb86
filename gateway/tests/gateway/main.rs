//! The real gateway in this process, against backends on loopback.

mod attempts;
mod basics;
mod connections;
mod world;
