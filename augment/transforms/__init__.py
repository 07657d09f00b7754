"""Kinds of transform: one picture in, one changed picture out, without a model."""
