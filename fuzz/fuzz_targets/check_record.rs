#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| { vault::fuzzing::check_record(data); });
