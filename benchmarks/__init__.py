"""Figures beside their goals: `python -m benchmarks NAME`. Each exits with 1 where one falls short."""
