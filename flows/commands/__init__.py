"""The commands of `velatura`, a file for each: options in, one call of the code that does the work, words out."""
