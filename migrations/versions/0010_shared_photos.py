"""A manifest may list a file for several products: it stands once for each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OLD, NEW = "uq_image_source_id_key", "uq_image_source_id_key_listed_for"
COLUMNS = ["source_id", "key", "listed_for"]


def upgrade() -> None:
    """Let files repeat with another product. SQLite writes the table anew for it: its constraints cannot be changed."""
    op.add_column("image", sa.Column("listed_for", sa.BigInteger(), server_default="0", nullable=False))
    op.execute(
        "UPDATE image SET listed_for = product_id WHERE source_id IN (SELECT id FROM source WHERE manifest <> '')"
    )
    with op.batch_alter_table("image") as image:
        image.drop_constraint(OLD, type_="unique")
        image.create_unique_constraint(NEW, COLUMNS)
