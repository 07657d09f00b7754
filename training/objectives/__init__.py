"""What the network is asked to predict, and how errors weigh. One kind a file."""
