"""Since when a chunk waits for a share and a product for a person, and how many products a finished run changed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, which are empty: neither database writes a row anew for them."""
    op.add_column("chunk", sa.Column("away_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("run", sa.Column("changed", sa.BigInteger(), nullable=True))
    op.add_column("tag", sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))
