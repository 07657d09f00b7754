"""`python -m benchmarks`: every figure of docs/benchmarks.md beside its goal; 1 where one falls short."""

import sys

from benchmarks.demo import main

if __name__ == "__main__":
    sys.exit(main())
