"""The one error that the service raises for what a user can set right, and the exit codes of its commands."""

FAILED = 1  # done, and something failed
WRONG_USAGE = 2  # or configuration; nothing was done
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class UsageError(Exception):
    """One line that says what is wrong, where, and what to do about it."""
