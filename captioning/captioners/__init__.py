"""Where the automatic caption of a picture comes from; what a person wrote wins. One kind a file."""
