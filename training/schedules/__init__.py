"""How the learning rate goes over the steps. One kind a file."""
