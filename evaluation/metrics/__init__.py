"""How it is measured whether the model has learned, copies or forgets. One kind a file."""
