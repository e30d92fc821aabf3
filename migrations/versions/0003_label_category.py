"""The shop's own name for a label: NULL where it goes by its own, empty where the shop has no category for it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAME = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Add the column, empty: both databases do so without rewriting a row."""
    op.add_column("label", sa.Column("category", NAME, nullable=True))
