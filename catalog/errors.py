"""The one error that the catalog raises for what a user can set right, and one line of any other."""


class CatalogError(Exception):
    """One line that says what is wrong, where, and what to do about it."""


def first_line(error: BaseException) -> str:
    """The first line that an error says; its type's name where it says nothing, as a driver's may."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
