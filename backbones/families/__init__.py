"""The families of base models, one file each; the file's name is the name that recipes use."""
