"""CPU seconds and memory to find all pairs of hashes within 6 bits, and whether any was missed."""

import json
import resource
import sys
import time

import numpy as np

from curation.hamming import pairs_within, pieces_for

RADIUS = 6
SAMPLE = 200


def planted(count: int) -> np.ndarray:
    """Random hashes; one in a hundred is another one with up to 7 bits changed."""
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 2**64, count, np.uint64)
    copies = rng.integers(0, count, count // 100)
    near = hashes[rng.integers(0, count, len(copies))]
    for _ in range(7):
        flips = rng.integers(0, 2, len(copies)).astype(np.uint64)
        near ^= flips << rng.integers(0, 64, len(copies)).astype(np.uint64)
    hashes[copies] = near
    return hashes


def recall(hashes: np.ndarray, found: np.ndarray) -> float:
    """Of the pairs that a sample has with all others, by brute force, the share that was found."""
    rng = np.random.default_rng(0)
    sample = np.unique(
        np.concatenate((rng.integers(0, len(hashes), SAMPLE), found[:: max(1, len(found) // SAMPLE), 0]))
    )
    told = {tuple(pair) for pair in found[np.isin(found, sample).any(axis=1)].tolist()}
    real = set()
    for at in sample.tolist():
        others = np.flatnonzero(np.bitwise_count(hashes ^ hashes[at]) <= RADIUS)
        real |= {(min(at, other), max(at, other)) for other in others.tolist() if other != at}
    return len(real & told) / max(1, len(real | told))  # what is told and not real counts as well


def main() -> None:
    """Search, then check."""
    hashes = planted(int(sys.argv[1]))
    began = time.process_time()
    found = pairs_within(hashes, RADIUS)
    seconds = time.process_time() - began
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shared = pieces_for(len(hashes), RADIUS)
    told = {"seconds": seconds, "megabytes": megabytes, "recall": recall(hashes, found)}
    print(json.dumps({**told, "shared": shared, "pieces": RADIUS + shared}))


if __name__ == "__main__":
    main()
