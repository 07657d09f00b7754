"""Base models by architecture; which one a `base:` is, its folder says. One kind a file."""
