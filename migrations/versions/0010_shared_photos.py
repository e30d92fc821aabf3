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
    connection = op.get_bind()
    triggers = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'image'"  # a shop's: we have none
    own = connection.scalars(sa.text(triggers)).all() if connection.dialect.name == "sqlite" else []
    with op.batch_alter_table("image") as image:
        image.drop_constraint(OLD, type_="unique")
        image.create_unique_constraint(NEW, COLUMNS)
    for trigger in own:
        connection.exec_driver_sql(trigger)
