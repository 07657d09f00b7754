"""Layouts in which a dataset can be written for other programs. One kind a file."""
