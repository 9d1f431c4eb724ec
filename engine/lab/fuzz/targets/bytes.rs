//! Bytes for a connection.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| periplus_lab_fuzz::attack(bytes));
