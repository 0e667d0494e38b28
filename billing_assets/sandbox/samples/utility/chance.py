"""Chance by a rule: a hash of the seed and of what is asked for. The same on every machine, in any order."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def draw(seed: int, *key: object) -> int:
    """A number from 0 to 2^64 - 1."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, (seed, *key))).encode()).digest()[:8])


def pick(low: int, high: int, seed: int, *key: object) -> int:
    """A number from `low` to `high`, both included."""
    return low + draw(seed, *key) % (high - low + 1)


def scatter(count: int, per_thousand: int, seed: int, *key: object) -> NDArray[np.int64]:
    """Factors around 1,000, at most `per_thousand` off."""
    raw = np.random.PCG64(draw(seed, *key)).random_raw(count) >> np.uint64(32)
    return (raw % np.uint64(2 * per_thousand + 1)).astype(np.int64) + (1_000 - per_thousand)
