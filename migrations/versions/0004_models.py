"""Runs that try a model version, who moved a threshold, and which images hold a content."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import forbid_changes

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HASHED = sa.text("content_hash IS NOT NULL")


def upgrade() -> None:
    """Add a column, a table and an index; no table is rebuilt."""
    op.add_column("run", sa.Column("trial", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_image_content_hash", "image", ["content_hash"], unique=False, postgresql_where=HASHED, sqlite_where=HASHED
    )
    op.create_table(
        "threshold_change",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("model_version_id", ROW_ID, nullable=False),
        sa.Column("label_id", ROW_ID, nullable=False),
        sa.Column("old_threshold", sa.Double(), nullable=False),
        sa.Column("new_threshold", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_threshold_change_label_id"),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name="fk_threshold_change_model_version_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_threshold_change"),
    )
    op.create_index(
        "ix_threshold_change_model_version_id", "threshold_change", ["model_version_id", "id"], unique=False
    )
    forbid_changes("threshold_change")
