//! The binary format.

mod body;

pub(crate) use body::body_reader;
