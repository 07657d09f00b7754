"""What the loss asks for: one kind per file; the file's name is the name that recipes use."""
