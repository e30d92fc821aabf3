"""The first schema: sources, products, images, runs, chunks, models, predictions, tags and their events."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import forbid_changes

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
APPEND_ONLY = ("promotion", "tag_event")


def upgrade() -> None:
    """Create every table."""
    create_models()
    create_work()
    create_tags()
    for table in APPEND_ONLY:
        forbid_changes(table)


def create_models() -> None:
    """Labels, model versions, predictions."""
    op.create_table(
        "label",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("parent_id", ROW_ID, nullable=True),
        sa.CheckConstraint("name <> ''", name=op.f("ck_label_name_not_empty")),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_label_not_its_own_parent")),
        sa.ForeignKeyConstraint(["parent_id"], ["label.id"], name="fk_label_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_label"),
        sa.UniqueConstraint("name", name="uq_label_name"),
    )
    op.create_table(
        "model_version",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("imported_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model_version"),
        sa.UniqueConstraint("name", name="uq_model_version_name"),
        sa.UniqueConstraint("sha256", name="uq_model_version_sha256"),
    )
    op.create_table(
        "model_artifact",
        sa.Column("model_version_id", ROW_ID, nullable=False),
        sa.Column("artifact", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(artifact) <= 10000000", name=op.f("ck_model_artifact_at_most_10_mb")),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"], name="fk_model_artifact_model_version_id"),
        sa.PrimaryKeyConstraint("model_version_id", name="pk_model_artifact"),
    )
    op.create_table(
        "model_label",
        sa.Column("model_version_id", ROW_ID, nullable=False),
        sa.Column("label_id", ROW_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'parent') = (position IS NULL)", name=op.f("ck_model_label_outputs_have_a_position")
        ),
        sa.CheckConstraint("kind IN ('label', 'other', 'parent')", name=op.f("ck_model_label_kind")),
        sa.CheckConstraint("threshold >= 0 AND threshold <= 1", name=op.f("ck_model_label_threshold_is_a_probability")),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_model_label_label_id"),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"], name="fk_model_label_model_version_id"),
        sa.PrimaryKeyConstraint("model_version_id", "label_id", name="pk_model_label"),
        sa.UniqueConstraint("model_version_id", "position", name="uq_model_label_model_version_id_position"),
    )
    op.create_table(
        "prediction",
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("model_version_id", ROW_ID, nullable=False),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        sa.Column("label_id", ROW_ID, nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("predicted_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "confidence >= 0 AND confidence <= 1", name=op.f("ck_prediction_confidence_is_a_probability")
        ),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_prediction_label_id"),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"], name="fk_prediction_model_version_id"),
        sa.PrimaryKeyConstraint("content_hash", "model_version_id", name="pk_prediction"),
    )
    op.create_table(
        "promotion",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("model_version_id", ROW_ID, nullable=False),
        sa.Column("promoted_by", sa.Text(), nullable=False),
        sa.Column("promoted_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"], name="fk_promotion_model_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_promotion"),
    )


def create_work() -> None:
    """Products, sources, runs, chunks, images, workers."""
    op.create_table(
        "product",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("sku", NAME, nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.CheckConstraint("sku <> ''", name=op.f("ck_product_sku_not_empty")),
        sa.PrimaryKeyConstraint("id", name="pk_product"),
        sa.UniqueConstraint("sku", name="uq_product_sku"),
    )
    op.create_table(
        "source",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("root", NAME, nullable=False),
        sa.Column("manifest", NAME, nullable=False),
        sa.Column("sku_pattern", sa.Text(), nullable=True),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_source"),
        sa.UniqueConstraint("root", "manifest", name="uq_source_root_manifest"),
    )
    op.create_table(
        "run",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("paths", sa.JSON(), nullable=False),
        sa.Column("model_version_id", ROW_ID, nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("slot", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("touched_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("products", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("classified", sa.BigInteger(), nullable=False),
        sa.Column("reused", sa.BigInteger(), nullable=False),
        sa.Column("tagged", sa.BigInteger(), nullable=False),
        sa.Column("review", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('done', 'interrupted')) = (finished_at IS NOT NULL)",
            name=op.f("ck_run_finished_when_done"),
        ),
        sa.CheckConstraint("kind IN ('tag', 'enqueue', 'retag', 'nightly')", name=op.f("ck_run_kind")),
        sa.CheckConstraint("state IN ('enqueueing', 'running', 'done', 'interrupted')", name=op.f("ck_run_state")),
        sa.CheckConstraint("(schedule IS NULL) = (slot IS NULL)", name=op.f("ck_run_slot_of_schedule")),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"], name="fk_run_model_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.UniqueConstraint("schedule", "slot", name="uq_run_schedule_slot"),
    )
    op.create_index(
        "ix_run_open",
        "run",
        ["id"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
        sqlite_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "chunk",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", MOMENT, nullable=True),
        sa.Column("published_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(state = 'leased') = (token IS NOT NULL) AND (state = 'leased') = (lease_expires_at IS NOT NULL)",
            name=op.f("ck_chunk_leased_has_token"),
        ),
        sa.CheckConstraint("queue IN ('fresh', 'bulk')", name=op.f("ck_chunk_queue")),
        sa.CheckConstraint("state IN ('pending', 'leased', 'done')", name=op.f("ck_chunk_state")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_chunk_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_chunk"),
    )
    op.create_index(
        "ix_chunk_leased",
        "chunk",
        ["lease_expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'leased'"),
        sqlite_where=sa.text("state = 'leased'"),
    )
    op.create_index(
        "ix_chunk_pending",
        "chunk",
        ["published_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "image",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("product_id", ROW_ID, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("failed_at", MOMENT, nullable=True),
        sa.Column("run_id", ROW_ID, nullable=True),
        sa.Column("chunk_id", ROW_ID, nullable=True),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(failure_code IS NULL) = (failure_reason IS NULL) AND (failure_code IS NULL) = (failed_at IS NULL)",
            name=op.f("ck_image_failure_is_whole"),
        ),
        sa.CheckConstraint("chunk_id IS NULL OR run_id IS NOT NULL", name=op.f("ck_image_waits_for_a_run")),
        sa.ForeignKeyConstraint(["chunk_id"], ["chunk.id"], name="fk_image_chunk_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_image_product_id"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_image_run_id"),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name="fk_image_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.UniqueConstraint("source_id", "key", name="uq_image_source_id_key"),
    )
    op.create_index(
        "ix_image_chunk_id",
        "image",
        ["chunk_id"],
        unique=False,
        postgresql_where=sa.text("chunk_id IS NOT NULL"),
        sqlite_where=sa.text("chunk_id IS NOT NULL"),
    )
    op.create_index(
        "ix_image_failed",
        "image",
        ["failed_at", "id"],
        unique=False,
        postgresql_where=sa.text("failure_code IS NOT NULL"),
        sqlite_where=sa.text("failure_code IS NOT NULL"),
    )
    op.create_index("ix_image_product_id", "image", ["product_id"], unique=False)
    op.create_index("ix_image_run_id", "image", ["run_id"], unique=False)
    op.create_index(
        "ix_image_waiting",
        "image",
        ["run_id"],
        unique=False,
        postgresql_where=sa.text("chunk_id IS NOT NULL"),
        sqlite_where=sa.text("chunk_id IS NOT NULL"),
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("processes", sa.Integer(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_worker"),
    )


def create_tags() -> None:
    """Tags, their events, and rejected labels."""
    op.create_table(
        "tag",
        sa.Column("product_id", ROW_ID, nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("model_version_id", ROW_ID, nullable=True),
        sa.Column("model_label_id", ROW_ID, nullable=True),
        sa.Column("model_confidence", sa.Double(), nullable=True),
        sa.Column("review_reason", sa.Text(), nullable=True),
        sa.Column("guess_1_id", ROW_ID, nullable=True),
        sa.Column("guess_1_confidence", sa.Double(), nullable=True),
        sa.Column("guess_2_id", ROW_ID, nullable=True),
        sa.Column("guess_2_confidence", sa.Double(), nullable=True),
        sa.Column("guess_3_id", ROW_ID, nullable=True),
        sa.Column("guess_3_confidence", sa.Double(), nullable=True),
        sa.Column("deciding_image_id", ROW_ID, nullable=True),
        sa.Column("model_run_id", ROW_ID, nullable=True),
        sa.Column("model_at", MOMENT, nullable=True),
        sa.Column("human_label_id", ROW_ID, nullable=True),
        sa.Column("human_action", sa.Text(), nullable=True),
        sa.Column("human_by", sa.Text(), nullable=True),
        sa.Column("human_at", MOMENT, nullable=True),
        sa.Column("imported_category", sa.Text(), nullable=True),
        sa.Column("imported_label_id", ROW_ID, nullable=True),
        sa.Column(
            "label_id",
            sa.BigInteger(),
            sa.Computed("coalesce(human_label_id, model_label_id)", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "confidence",
            sa.Double(),
            sa.Computed("CASE WHEN human_label_id IS NOT NULL THEN 1.0 ELSE model_confidence END", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "source",
            sa.Text(),
            sa.Computed(
                "CASE WHEN human_label_id IS NOT NULL THEN 'human' WHEN model_label_id IS NOT NULL THEN 'model' END",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.Column(
            "needs_review",
            sa.Boolean(),
            sa.Computed("human_label_id IS NULL AND review_reason IS NOT NULL", persisted=True),
            nullable=False,
        ),
        sa.Column("tagged_at", MOMENT, sa.Computed("coalesce(human_at, model_at)", persisted=True), nullable=True),
        sa.CheckConstraint("human_action IN ('corrected', 'confirmed')", name=op.f("ck_tag_human_action")),
        sa.CheckConstraint(
            "review_reason IN ('unsure', 'label unsure', 'contradiction', 'other')",
            name=op.f("ck_tag_review_reason"),
        ),
        sa.CheckConstraint(
            "(human_label_id IS NULL) = (human_action IS NULL) AND (human_label_id IS NULL) = (human_by IS NULL) AND (human_label_id IS NULL) = (human_at IS NULL)",
            name=op.f("ck_tag_human_tag_is_whole"),
        ),
        sa.CheckConstraint(
            "(model_label_id IS NULL) = (model_confidence IS NULL)", name=op.f("ck_tag_model_tag_is_whole")
        ),
        sa.CheckConstraint(
            "(model_version_id IS NULL) = (model_label_id IS NULL AND review_reason IS NULL)",
            name=op.f("ck_tag_model_tags_or_asks"),
        ),
        sa.CheckConstraint(
            "model_confidence >= 0 AND model_confidence <= 1",
            name=op.f("ck_tag_model_confidence_is_a_probability"),
        ),
        sa.ForeignKeyConstraint(["deciding_image_id"], ["image.id"], name="fk_tag_deciding_image_id"),
        sa.ForeignKeyConstraint(["guess_1_id"], ["label.id"], name="fk_tag_guess_1_id"),
        sa.ForeignKeyConstraint(["guess_2_id"], ["label.id"], name="fk_tag_guess_2_id"),
        sa.ForeignKeyConstraint(["guess_3_id"], ["label.id"], name="fk_tag_guess_3_id"),
        sa.ForeignKeyConstraint(["human_label_id"], ["label.id"], name="fk_tag_human_label_id"),
        sa.ForeignKeyConstraint(["imported_label_id"], ["label.id"], name="fk_tag_imported_label_id"),
        sa.ForeignKeyConstraint(["model_label_id"], ["label.id"], name="fk_tag_model_label_id"),
        sa.ForeignKeyConstraint(["model_run_id"], ["run.id"], name="fk_tag_model_run_id"),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"], name="fk_tag_model_version_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_tag_product_id"),
        sa.PrimaryKeyConstraint("product_id", "attribute", name="pk_tag"),
    )
    op.create_index("ix_tag_find", "tag", ["attribute", "label_id", "confidence", "product_id"], unique=False)
    op.create_index(
        "ix_tag_find_review",
        "tag",
        ["attribute", "label_id", "confidence", "product_id"],
        unique=False,
        postgresql_where=sa.text("needs_review"),
        sqlite_where=sa.text("needs_review"),
    )
    op.create_index(
        "ix_tag_review",
        "tag",
        ["attribute", "guess_1_confidence", "product_id"],
        unique=False,
        postgresql_where=sa.text("needs_review"),
        sqlite_where=sa.text("needs_review"),
    )
    op.create_table(
        "tag_event",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("product_id", ROW_ID, nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("old_label_id", ROW_ID, nullable=True),
        sa.Column("new_label_id", ROW_ID, nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("run_id", ROW_ID, nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint("source IN ('model', 'human')", name=op.f("ck_tag_event_source")),
        sa.ForeignKeyConstraint(["new_label_id"], ["label.id"], name="fk_tag_event_new_label_id"),
        sa.ForeignKeyConstraint(["old_label_id"], ["label.id"], name="fk_tag_event_old_label_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_tag_event_product_id"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_tag_event_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tag_event"),
    )
    op.create_index("ix_tag_event_product_id", "tag_event", ["product_id", "id"], unique=False)
    op.create_index("ix_tag_event_run_id", "tag_event", ["run_id", "id"], unique=False)
    op.create_table(
        "rejected_label",
        sa.Column("product_id", ROW_ID, nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("label_id", ROW_ID, nullable=False),
        sa.Column("rejected_by", sa.Text(), nullable=False),
        sa.Column("rejected_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_rejected_label_label_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_rejected_label_product_id"),
        sa.PrimaryKeyConstraint("product_id", "attribute", "label_id", name="pk_rejected_label"),
    )
