"""Loading code quickly: for imports that take a tenth of a second and more."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """For imports: what is loaded stays, and need not be looked through for garbage, now or at the process's end.

    `hangtag stats` took 370 ms of CPU in place of 445, loading TensorFlow and ending 3.0 s in place of 4.7.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
