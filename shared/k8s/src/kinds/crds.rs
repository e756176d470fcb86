//! The `CustomResourceDefinition`s of the own kinds, the MCS API and the About API, made from the types. `config/crd/` holds
//! them as files, and a test keeps the two equal.
