"""Kinds of generator: pictures made from pictures by a detector or a model, many at a time."""
