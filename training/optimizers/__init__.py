"""How the weights are moved. One kind a file."""
