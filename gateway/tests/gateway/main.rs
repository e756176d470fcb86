//! The real gateway in this process, against backends on loopback.

#[cfg(test)]
mod attempts;
#[cfg(test)]
mod basics;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod tunnels;
#[cfg(test)]
mod world;
