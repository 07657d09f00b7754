"""Finished files in, finished files out: looking at them, merging, extracting, resizing, converting. No training."""
