"""New pictures made of pictures by a detector or a model, many at a time. One kind a file."""
