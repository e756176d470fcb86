//! What the tests against real API servers need: API servers, namespaces of the network, processes.
