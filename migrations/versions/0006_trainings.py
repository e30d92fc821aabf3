"""Scheduled trainings on people's words."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "training",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("challenger", sa.Text(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("touched_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("outcome IN ('promoted', 'kept', 'failed')", name=op.f("ck_training_outcome")),
        sa.CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name=op.f("ck_training_outcome_when_finished")),
        sa.PrimaryKeyConstraint("id", name="pk_training"),
        sa.UniqueConstraint("slot", name="uq_training_slot"),
    )
