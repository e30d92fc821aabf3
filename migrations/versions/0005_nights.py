"""Nights: images that are gone, failures tried again, chunks in the order of what is due, runs with a deadline."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns. Each is empty or has a constant default: neither database writes a row anew for it."""
    op.add_column("image", sa.Column("gone_at", MOMENT, nullable=True))
    op.add_column("image", sa.Column("retries", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("chunk", sa.Column("rank", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("run", sa.Column("gone", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("run", sa.Column("postponed", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("run", sa.Column("deadline_at", MOMENT, nullable=True))
    op.add_column("run", sa.Column("again", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("run", sa.Column("note", sa.Text(), nullable=True))
