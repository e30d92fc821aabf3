"""Pictures of the study: one figure for two places, the middle of an HTML page and a file beside a Markdown page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.charts import write_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Mid-tones, readable on white and on near-black; in the order of the nets.
COLOURS = ("#8a94a0", "#4f9c94", "#7c9440", "#2a78c8", "#8f63c4", "#c8762a", "#b89a1e", "#d0425f")
PNG_DOTS_PER_INCH = 130  # 1,300 pixels for the widest: sharp where a page shows it at half of that


@dataclass(frozen=True)
class Picture:
    """A figure, its file's name (.svg or .png), and in words what it shows, for who cannot see it."""

    file: str
    title: str
    figure: Figure

    def render_inline(self) -> str:
        """An <svg> element in the page's own colours, light or dark."""
        return write_svg(self.figure, self.title)

    def save(self, folder: Path) -> None:
        """Write the file: on white, in its own font, for a page that knows nothing of it."""
        import matplotlib as mpl  # noqa: PLC0415

        about = {"Date": None, "Creator": None} if self.file.endswith(".svg") else {"Software": None}
        with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": self.title}):
            self.figure.savefig(folder / self.file, dpi=PNG_DOTS_PER_INCH, facecolor="white", metadata=about)
