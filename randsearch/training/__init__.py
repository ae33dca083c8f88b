"""Training: the loop, what networks are scored on, checkpoints."""
