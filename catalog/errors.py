"""The one error that the catalog raises for what a user can set right."""


class CatalogError(Exception):
    """One line that says what is wrong, where, and what to do about it."""
