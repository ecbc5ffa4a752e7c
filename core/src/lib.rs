//! The `no_std` floor both tiers stand on.
