//! The Squid proxy.
