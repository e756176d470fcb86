//! The real gateway in this process, against backends on loopback.

mod attempts;
mod basics;
mod bodies;
mod connections;
mod drain;
mod http2;
mod listeners;
mod tunnels;
mod world;
