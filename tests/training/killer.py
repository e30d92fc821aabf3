"""A decoder that one photo kills; light to import, for the processes of a pool do."""

import os
import signal

from training import photo_sets


def die_over_killer(task: photo_sets._Task) -> list[photo_sets._Prepared | str]:
    """In the place of decoding: the process of `killer.png` is killed by the system."""
    if any(path.name == "killer.png" for path in task.paths):
        os.kill(os.getpid(), signal.SIGKILL)
    return [photo_sets._prepare(path, task) for path in task.paths]
