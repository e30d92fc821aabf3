"""Decisions by chance, in words: what happens in a share of the cases, which of several kinds it is.

Owns the two. Leaves distributions of sizes and colours to whoever draws with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from numpy.random import Generator


def happens(share: float, rng: Generator) -> bool:
    """True in `share` of the calls."""
    return rng.random() < share


def choose_kind(shares: Mapping[str, float], rng: Generator) -> str:
    """One of the names, each in its share of the calls. The last one takes what rounding leaves of 1."""
    left = rng.random()
    for kind, share in shares.items():
        left -= share
        if left < 0:
            return kind
    return kind
