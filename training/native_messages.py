"""Keeping compiled libraries quiet: what they write to descriptor 2 themselves, past Python's `sys.stderr`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_messages_silenced() -> Iterator[None]:
    """Nothing is written to descriptor 2 meanwhile: TensorFlow, its converter and LiteRT, which announces its XNNPACK
    delegate there, have no switch for all they say.

    What goes wrong is raised, and so still seen.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
