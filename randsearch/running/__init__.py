"""What runs: one search from its start to its end, on this machine or a cluster."""
