"""Classic augmentation: one picture in, one changed picture out, without a model. One kind a file."""
