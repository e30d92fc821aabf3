import pytest

from catalog.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such table: x\nCONTEXT: y"), "no such table: x"),
        (ValueError("\n  disk full\n"), "disk full"),
        (ConnectionResetError(), "ConnectionResetError"),
        (OSError(""), "OSError"),
    ],
)
def test_an_error_is_told_in_one_line_and_never_in_none(error: Exception, line: str) -> None:
    assert first_line(error) == line
