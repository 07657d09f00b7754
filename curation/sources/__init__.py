"""Where pictures come from; they are only read, never changed. One kind a file."""
