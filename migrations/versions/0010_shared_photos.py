"""A photo may show several products: a file stands once for each of them."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OLD, NEW = "uq_image_source_id_key", "uq_image_source_id_key_product_id"
COLUMNS = ["source_id", "key", "product_id"]


def upgrade() -> None:
    """Let files repeat with another product. SQLite writes the table anew for it: its constraints cannot be changed."""
    if op.get_bind().dialect.name != "sqlite":
        op.create_unique_constraint(NEW, "image", COLUMNS)
        op.drop_constraint(OLD, "image", type_="unique")
        return
    with op.batch_alter_table("image") as image:
        image.drop_constraint(OLD, type_="unique")
        image.create_unique_constraint(NEW, COLUMNS)
