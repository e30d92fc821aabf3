"""Chunks that were given back, and wait until a moment before they are taken again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which is empty: neither database writes a row anew for it."""
    op.add_column("chunk", sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True))
