"""Where heavy work can be done: each file is one kind."""
