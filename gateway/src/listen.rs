//! Sockets that come and go at run time; drain.
