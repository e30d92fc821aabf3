"""The one error that the service raises for what a user can set right."""


class UsageError(Exception):
    """One line that says what is wrong, where, and what to do about it."""
