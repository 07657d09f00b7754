"""How the learning rate goes over the steps: one kind per file; the file's name is the name that recipes use."""
