//! Runtime objects (spec, 4.2): stores and what lives in them.

pub mod vmctx;
