"""From a program's nodes to kernels: what is fused with what, and where values lie in memory."""
