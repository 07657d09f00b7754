"""Randomness that depends on what is made, never on when or where it is made."""

import numpy as np

from core.hashing import digest


def seed_of(*parts: object) -> int:
    """A seed in [0, 2**63) that follows from the identity of what is made: for torch and for sampling."""
    return int(digest("seed", *parts), 16) >> 1


def generator(*parts: object) -> np.random.Generator:
    """A numpy generator for one thing: ``generator(record.id, block.fingerprint, seed)``."""
    return np.random.Generator(np.random.PCG64(seed_of(*parts)))
