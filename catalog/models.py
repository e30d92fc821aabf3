"""The tables of the catalog, with the constraints that make wrong states impossible.

Owns the shape of every table; `migrations/` builds them and a test holds the two together. SQL views stand in
`catalog.views`.
"""

from datetime import date, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

from catalog.columns import Name, RowId, UtcDateTime

MAX_ARTIFACT_BYTES = 10_000_000  # what a row may hold without hurting a backup; ours has 0.3 MB


class Base(DeclarativeBase):
    """Shared metadata; every constraint has a name, so that a migration can find it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy's own form)
        datetime: UtcDateTime(),
        str: Text(),
        float: Double(),
        int: BigInteger(),
        bytes: LargeBinary(),
        bool: Boolean(),
    }


class Source(Base):
    """A folder or manifest that was enqueued, and how a SKU is read from its image names."""

    __tablename__ = "source"
    __table_args__ = (UniqueConstraint("root", "manifest"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    root: Mapped[str] = mapped_column(Name)
    manifest: Mapped[str] = mapped_column(Name)  # the CSV's name inside root; empty for a plain folder
    sku_pattern: Mapped[str | None]  # None: the stem rule
    registered_at: Mapped[datetime]


class Product(Base):
    """What the shop sells, by SKU; it has one or more images."""

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    sku: Mapped[str] = mapped_column(Name, unique=True)
    title: Mapped[str | None]
    registered_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("sku <> ''", name="sku_not_empty"),)


class Run(Base):
    """One pass over sources: what it covered and, once finished, what came of it. Counts are images."""

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("schedule", "slot"),  # a second scheduler inserts nothing
        CheckConstraint("kind IN ('tag', 'enqueue', 'retag', 'nightly')", name="kind"),
        CheckConstraint("state IN ('enqueueing', 'running', 'done', 'interrupted')", name="state"),
        CheckConstraint(
            "(state IN ('done', 'interrupted')) = (finished_at IS NOT NULL)", name="finished_when_done"
        ),
        CheckConstraint("(schedule IS NULL) = (slot IS NULL)", name="slot_of_schedule"),
        Index("ix_run_open", "id", postgresql_where=text("finished_at IS NULL"),
              sqlite_where=text("finished_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str]
    paths: Mapped[list[str]] = mapped_column(JSON)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"))
    schedule: Mapped[str | None]
    slot: Mapped[str | None]  # local wall time of the night, ISO without zone
    # Lets a model version predict that is not promoted: its outcomes leave the tags alone.
    trial: Mapped[bool] = mapped_column(default=False, server_default=false())
    state: Mapped[str]
    created_at: Mapped[datetime]
    touched_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    images: Mapped[int] = mapped_column(default=0)
    products: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    due: Mapped[int] = mapped_column(default=0)
    classified: Mapped[int] = mapped_column(default=0)  # went through the net in this run
    reused: Mapped[int] = mapped_column(default=0)  # content that the model had seen before
    tagged: Mapped[int] = mapped_column(default=0)
    review: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    gone: Mapped[int] = mapped_column(default=0, server_default="0")  # images that this run found no more
    postponed: Mapped[int] = mapped_column(default=0, server_default="0")  # due, and not begun before the deadline
    changed: Mapped[int | None]  # products with another tag than before it; None: not counted yet
    deadline_at: Mapped[datetime | None]  # after it nothing of the run is leased
    again: Mapped[bool] = mapped_column(default=False, server_default=false())  # classify what the model has seen too
    note: Mapped[str | None]  # what a person should know: sources that were away, much that vanished


class Chunk(Base):
    """A unit of work: up to a few hundred images, leased by one worker at a time."""

    __tablename__ = "chunk"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'leased', 'done')", name="state"),
        CheckConstraint("queue IN ('fresh', 'bulk')", name="queue"),
        CheckConstraint(
            "(state = 'leased') = (token IS NOT NULL) AND (state = 'leased') = (lease_expires_at IS NOT NULL)",
            name="leased_has_token",
        ),
        Index("ix_chunk_pending", "published_at", "id", postgresql_where=text("state = 'pending'"),
              sqlite_where=text("state = 'pending'")),
        Index("ix_chunk_leased", "lease_expires_at", postgresql_where=text("state = 'leased'"),
              sqlite_where=text("state = 'leased'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    queue: Mapped[str]
    state: Mapped[str]
    images: Mapped[int]
    attempts: Mapped[int] = mapped_column(default=0)
    token: Mapped[str | None]  # fencing token: a writer shows it, a new claim replaces it
    lease_expires_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    ready_at: Mapped[datetime | None]  # set when a worker gave it back or lost it: from then on another may take it
    away_since: Mapped[datetime | None]  # when the share of its images was first found away; None: it was there
    created_at: Mapped[datetime]
    rank: Mapped[int] = mapped_column(default=0, server_default="0")  # catalog.chunks.Rank: what a run does first


class Image(Base):
    """One file of a source as a photo of one product: of a folder one row a file, of a manifest one for each product
    that it lists the file for.

    An image that waits belongs to one chunk; one that is done belongs to none.
    """

    __tablename__ = "image"
    __table_args__ = (
        UniqueConstraint("source_id", "key", "listed_for"),
        CheckConstraint(
            "(failure_code IS NULL) = (failure_reason IS NULL) AND (failure_code IS NULL) = (failed_at IS NULL)",
            name="failure_is_whole",
        ),
        CheckConstraint("chunk_id IS NULL OR run_id IS NOT NULL", name="waits_for_a_run"),
        Index("ix_image_product_id", "product_id"),
        # Which images hold a content: whether a tag refers to a prediction is asked of each one that may be pruned.
        Index("ix_image_content_hash", "content_hash", postgresql_where=text("content_hash IS NOT NULL"),
              sqlite_where=text("content_hash IS NOT NULL")),
        Index("ix_image_run_id", "run_id"),
        Index("ix_image_chunk_id", "chunk_id", postgresql_where=text("chunk_id IS NOT NULL"),
              sqlite_where=text("chunk_id IS NOT NULL")),
        Index("ix_image_waiting", "run_id", postgresql_where=text("chunk_id IS NOT NULL"),
              sqlite_where=text("chunk_id IS NOT NULL")),
        Index("ix_image_failed", "failed_at", "id", postgresql_where=text("failure_code IS NOT NULL"),
              sqlite_where=text("failure_code IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    key: Mapped[str] = mapped_column(Name)  # path below the root, with "/"
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    # The product again where a manifest says so, else 0: what a folder's rule for SKUs says may change.
    listed_for: Mapped[int] = mapped_column(default=0, server_default="0")
    size_bytes: Mapped[int]
    modified_ns: Mapped[int]
    content_hash: Mapped[bytes | None] = mapped_column(LargeBinary(16))  # of the bytes last decoded
    failure_code: Mapped[str | None]
    failure_reason: Mapped[str | None]
    failed_at: Mapped[datetime | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))  # the last run that worked on it
    chunk_id: Mapped[int | None] = mapped_column(ForeignKey("chunk.id"))  # where it waits
    registered_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]  # when it was found no more in its source; None: it is present
    retries: Mapped[int] = mapped_column(default=0, server_default="0")  # nights that tried a failure again in vain


class Label(Base):
    """What a model can say, or the parent of such labels; its id and name never change.

    `category` is the shop's own name for it, empty where the shop has none; None: it goes by its own name. `shown`
    is what tags and views call it, None where the shop has no category for it.
    """

    __tablename__ = "label"
    __table_args__ = (
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))
    category: Mapped[str | None] = mapped_column(Name)
    # The empty text is spelled out: PostgreSQL takes a parameter in GROUP BY for another one than in SELECT.
    shown: Mapped[str | None] = column_property(func.nullif(func.coalesce(category, name), literal_column("''")))


class ModelVersion(Base):
    """A model bundle that the catalog knows."""

    __tablename__ = "model_version"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    attribute: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    manifest: Mapped[str]
    imported_at: Mapped[datetime]


class ModelArtifact(Base):
    """The bundle's file, in a table of its own, so that listing models never reads it."""

    __tablename__ = "model_artifact"
    __table_args__ = (CheckConstraint(f"length(artifact) <= {MAX_ARTIFACT_BYTES}", name="at_most_10_mb"),)

    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), primary_key=True)
    artifact: Mapped[bytes]


class ModelLabel(Base):
    """A label or parent that a model version speaks of, with its threshold: data, not a constant."""

    __tablename__ = "model_label"
    __table_args__ = (
        UniqueConstraint("model_version_id", "position"),
        CheckConstraint("kind IN ('label', 'other', 'parent')", name="kind"),
        CheckConstraint("(kind = 'parent') = (position IS NULL)", name="outputs_have_a_position"),
        CheckConstraint("threshold >= 0 AND threshold <= 1", name="threshold_is_a_probability"),
    )

    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), primary_key=True)
    kind: Mapped[str]
    position: Mapped[int | None] = mapped_column(Integer)  # in the probability vector
    threshold: Mapped[float]


class ThresholdChange(Base):
    """Append-only: each time that somebody moved a threshold of a model version."""

    __tablename__ = "threshold_change"
    __table_args__ = (Index("ix_threshold_change_model_version_id", "model_version_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"))
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"))
    old_threshold: Mapped[float]
    new_threshold: Mapped[float]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class Promotion(Base):
    """Append-only: the latest row of an attribute names its current model version."""

    __tablename__ = "promotion"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    attribute: Mapped[str]
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"))
    promoted_by: Mapped[str]
    promoted_at: Mapped[datetime]


class Prediction(Base):
    """What one model version said of one content, whatever the names of the files that hold it."""

    __tablename__ = "prediction"
    __table_args__ = (CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence_is_a_probability"),)

    content_hash: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), primary_key=True)
    probabilities: Mapped[list[float]] = mapped_column(JSON)  # by ModelLabel.position
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"))  # the surest
    confidence: Mapped[float]
    predicted_at: Mapped[datetime]


class Tag(Base):
    """What the catalog shows for an attribute of a product.

    Workers write the model's columns only, people the human ones, an import the imported ones. The columns that
    are shown are generated from these, human before model, so that no race can undo a person.
    """

    __tablename__ = "tag"
    __table_args__ = (
        CheckConstraint("(model_label_id IS NULL) = (model_confidence IS NULL)", name="model_tag_is_whole"),
        CheckConstraint(
            "(model_version_id IS NULL) = (model_label_id IS NULL AND review_reason IS NULL)",
            name="model_tags_or_asks",
        ),
        CheckConstraint(
            "model_confidence >= 0 AND model_confidence <= 1", name="model_confidence_is_a_probability"
        ),
        CheckConstraint(
            "review_reason IN ('unsure', 'label unsure', 'contradiction', 'other')", name="review_reason"
        ),
        CheckConstraint(
            "(human_label_id IS NULL) = (human_action IS NULL) AND (human_label_id IS NULL) = (human_by IS NULL)"
            " AND (human_label_id IS NULL) = (human_at IS NULL)",
            name="human_tag_is_whole",
        ),
        CheckConstraint("human_action IN ('corrected', 'confirmed')", name="human_action"),
        Index("ix_tag_find", "attribute", "label_id", "confidence", "product_id"),
        Index("ix_tag_review", "attribute", "guess_1_confidence", "product_id",
              postgresql_where=text("needs_review"), sqlite_where=text("needs_review")),
        # The little of ix_tag_find that waits for a person: without it `find --review` over 1,000,000 products took
        # 3 s on SQLite, which walked all of the labels' rows for it.
        Index("ix_tag_find_review", "attribute", "label_id", "confidence", "product_id",
              postgresql_where=text("needs_review"), sqlite_where=text("needs_review")),
    )  # fmt: skip

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    attribute: Mapped[str] = mapped_column(primary_key=True)

    model_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_version.id"))
    model_label_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))  # a label, or a parent
    model_confidence: Mapped[float | None]
    review_reason: Mapped[str | None]
    guess_1_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))
    guess_1_confidence: Mapped[float | None]
    guess_2_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))
    guess_2_confidence: Mapped[float | None]
    guess_3_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))
    guess_3_confidence: Mapped[float | None]
    deciding_image_id: Mapped[int | None] = mapped_column(ForeignKey("image.id"))
    model_run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))
    model_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]  # when the model sent it to review, and every judgement since left it there

    human_label_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))
    human_action: Mapped[str | None]
    human_by: Mapped[str | None]
    human_at: Mapped[datetime | None]

    imported_category: Mapped[str | None]
    imported_label_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))  # where a label has its name

    label_id: Mapped[int | None] = mapped_column(
        BigInteger, Computed("coalesce(human_label_id, model_label_id)", persisted=True)
    )
    confidence: Mapped[float | None] = mapped_column(
        Double,
        Computed("CASE WHEN human_label_id IS NOT NULL THEN 1.0 ELSE model_confidence END", persisted=True),
    )
    source: Mapped[str | None] = mapped_column(
        Text,
        Computed(
            "CASE WHEN human_label_id IS NOT NULL THEN 'human' WHEN model_label_id IS NOT NULL THEN 'model' END",
            persisted=True,
        ),
    )
    needs_review: Mapped[bool] = mapped_column(
        Boolean, Computed("human_label_id IS NULL AND review_reason IS NOT NULL", persisted=True)
    )
    tagged_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, Computed("coalesce(human_at, model_at)", persisted=True)
    )


class RejectedLabel(Base):
    """A label that a person said is wrong for a product: the model may not choose it again."""

    __tablename__ = "rejected_label"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    attribute: Mapped[str] = mapped_column(primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), primary_key=True)
    rejected_by: Mapped[str]
    rejected_at: Mapped[datetime]


class HumanAction(Base):
    """Append-only: each word of a person on a product. What was not undone stands."""

    __tablename__ = "human_action"
    __table_args__ = (
        CheckConstraint("action IN ('corrected', 'confirmed', 'rejected', 'undone')", name="action"),
        CheckConstraint("(action = 'undone') = (undoes_id IS NOT NULL)", name="undoes_a_word"),
        UniqueConstraint("undoes_id"),  # nothing is taken back twice
        Index("ix_human_action_product_id", "product_id", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    attribute: Mapped[str]
    action: Mapped[str]
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"))
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("human_action.id"))
    acted_by: Mapped[str]
    acted_at: Mapped[datetime]


class TagEvent(Base):
    """Append-only: each change of what the catalog shows. History, and the feed of what changed."""

    __tablename__ = "tag_event"
    __table_args__ = (
        CheckConstraint("source IN ('model', 'human')", name="source"),
        Index("ix_tag_event_product_id", "product_id", "id"),
        Index("ix_tag_event_run_id", "run_id", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    attribute: Mapped[str]
    old_label_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))
    new_label_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))
    source: Mapped[str]
    changed_by: Mapped[str]  # a person, or the model version's name
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))
    changed_at: Mapped[datetime]


class Worker(Base):
    """A worker process that said it lives; written by its timer, whatever its children do."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(primary_key=True)
    processes: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class RefusedMessage(Base):
    """How many messages in the queue were not ours, on one day (UTC) and for one reason."""

    __tablename__ = "refused_message"

    day: Mapped[date] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    messages: Mapped[int]


class Training(Base):
    """A scheduled training on people's words: when, and what became of the net."""

    __tablename__ = "training"
    __table_args__ = (
        UniqueConstraint("slot"),  # a second scheduler inserts nothing
        CheckConstraint("outcome IN ('promoted', 'kept', 'failed')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="outcome_when_finished"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    slot: Mapped[str]  # local wall time, ISO without zone
    challenger: Mapped[str]  # the name of the model version that it makes
    started_at: Mapped[datetime]
    touched_at: Mapped[datetime]  # while it goes on: one that falls silent was killed
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    note: Mapped[str | None]  # why it was not promoted, or failed
