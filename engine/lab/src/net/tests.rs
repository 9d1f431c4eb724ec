//! What programs may rely on when they use the virtual network.
