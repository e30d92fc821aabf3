"""Every word of a person stays: corrections, confirmations, rejected labels, and what was taken back."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import forbid_changes

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table, and begin it with the words that stand."""
    op.create_table(
        "human_action",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("product_id", ROW_ID, nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("label_id", ROW_ID, nullable=False),
        sa.Column("undoes_id", ROW_ID, nullable=True),
        sa.Column("acted_by", sa.Text(), nullable=False),
        sa.Column("acted_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "action IN ('corrected', 'confirmed', 'rejected', 'undone')", name=op.f("ck_human_action_action")
        ),
        sa.CheckConstraint("(action = 'undone') = (undoes_id IS NOT NULL)", name=op.f("ck_human_action_undoes_a_word")),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_human_action_label_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_human_action_product_id"),
        sa.ForeignKeyConstraint(["undoes_id"], ["human_action.id"], name="fk_human_action_undoes_id"),
        sa.PrimaryKeyConstraint("id", name="pk_human_action"),
        sa.UniqueConstraint("undoes_id", name="uq_human_action_undoes_id"),
    )
    op.create_index("ix_human_action_product_id", "human_action", ["product_id", "id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("LOCK TABLE tag, rejected_label IN SHARE MODE")  # no word comes in between, by an older version
    op.execute(
        """
        INSERT INTO human_action (product_id, attribute, action, label_id, acted_by, acted_at)
        SELECT product_id, attribute, action, label_id, acted_by, acted_at
          FROM (SELECT product_id, attribute, human_action AS action, human_label_id AS label_id,
                       human_by AS acted_by, human_at AS acted_at
                  FROM tag
                 WHERE human_label_id IS NOT NULL
                 UNION ALL
                SELECT product_id, attribute, 'rejected', label_id, rejected_by, rejected_at
                  FROM rejected_label) AS words
         ORDER BY acted_at, product_id, label_id
        """
    )
    forbid_changes("human_action")
