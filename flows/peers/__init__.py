"""Other trainers' configurations in, recipes out, with a word about every key that could not be carried over."""
