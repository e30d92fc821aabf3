"""The root of this package's errors.

Owns the one class that a command line catches. The errors themselves stand where they are raised:
`BundleError` in `bundle`, `ImageError` in `preprocessing`, and `TrainingError` itself for everything else
that a user can cause (a folder without archives, a column that is not there, a checkpoint of another recipe).
"""


class TrainingError(Exception):
    """Something a user can put right; its text is one line that says what and where."""
