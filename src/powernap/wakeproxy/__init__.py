"""powerwaked: other machines, brought up when they are needed, and known to be up. One always-on node runs it, without privileges."""
