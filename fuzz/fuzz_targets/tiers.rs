#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| kinglet_fuzz::TIERS.run(data));
