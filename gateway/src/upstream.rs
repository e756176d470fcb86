//! Own upstream connector: dialer, HTTP/2 pool, session.
