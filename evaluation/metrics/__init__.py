"""The measures, one file each; the file's name is the name that recipes use."""
