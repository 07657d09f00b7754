"""Figures beside their goals, a module each: `make bench`. Each exits with 1 where one falls short."""
