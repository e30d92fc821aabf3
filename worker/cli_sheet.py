"""Contact sheets, as `hangtag find` and `hangtag review` draw them: the settings' limits, progress on stderr."""

from datetime import UTC, datetime

from catalog.output import print_message
from catalog.sheets import Sheet
from worker.cli_tag import progress_bar
from worker.contact_sheet import Limits, write_contact_sheet
from worker.settings import Settings

MANY_PRODUCTS = 2000  # above, a page is slow to open: who asks for it is told beforehand
BYTES_A_PRODUCT = 5500  # of the page: 2,860 photos taken at home came to 5,420 each


def draw_contact_sheet(settings: Settings, file: str, sheet: Sheet) -> tuple[int, int]:
    """Write the page; its size in bytes, and how many products have no picture on it.

    Raises:
        UsageError: the file cannot be written.
    """
    if sheet.products > MANY_PRODUCTS:
        print_message(f"{sheet.products:,} products: a page of about {sheet.products * BYTES_A_PRODUCT / 1e6:.0f} MB")
    limits = Limits(max_pixels=settings.max_pixels, max_file_bytes=settings.max_file_mb * 1_000_000)
    with progress_bar("drawing") as show:
        return write_contact_sheet(
            file, sheet, limits=limits, now=datetime.now(UTC), progress=lambda done, total: show(done, total, "")
        )
