"""Records in, captions out: by CLIP over a vocabulary of our own, from file names, or left to the person."""
