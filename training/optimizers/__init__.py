"""How the weights are moved: one kind per file; the file's name is the name that recipes use."""
