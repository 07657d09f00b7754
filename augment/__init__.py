"""Training pictures in, derived records out: each with its picture, its parent, its block and what was drawn."""
