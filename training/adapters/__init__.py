"""Which weights are trained. One kind a file."""
