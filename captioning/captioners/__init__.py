"""Kinds of captioner: where the automatic caption of a picture comes from."""
