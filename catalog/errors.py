"""The one error that the catalog raises for what a user can set right, and one line of any other."""


class CatalogError(Exception):
    """One line that says what is wrong, where, and what to do about it."""


def first_line(error: BaseException) -> str:
    """The first line that an error says; its type's name where it says nothing, as a driver's may."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def explain_refusal(error: BaseException) -> str | None:
    """The line for a statement that the database refused; None for any other error.

    It is known by what it holds, the driver's own error, so that who asks needs no SQLAlchemy.
    """
    reason = getattr(error, "orig", None)
    return None if reason is None else f"the database refused: {first_line(reason)}"
