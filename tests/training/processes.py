"""Whether a process is there."""

import os
import time
from pathlib import Path


def is_gone(pid: int, *, within_s: float = 20.0) -> bool:
    """Whether the process ends within this time."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
