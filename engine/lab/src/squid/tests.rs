//! The proxy's answers and log lines against recordings.
