"""The SQL views: the catalog for people who never see our code.

Each is one portable SELECT. Migrations drop them before they change a table and create them anew after.
"""

import re
from collections.abc import Iterable

from sqlalchemy import Connection, text

# shown(x) stands for the name that a row of `label` is shown by: the shop's category, NULL where it has none for it.
VIEWS = {
    "product_tags": """
        SELECT product.sku AS sku, tag.attribute AS attribute, shown(label) AS tag,
               CASE WHEN label.parent_id IS NULL THEN shown(label) ELSE shown(parent) END AS parent,
               tag.confidence AS confidence, tag.source AS source, model_version.name AS model,
               tag.tagged_at AS tagged_at, label.name AS model_label,
               NOT EXISTS (SELECT 1 FROM image WHERE image.product_id = product.id AND image.gone_at IS NULL)
                   AS photos_gone
          FROM tag
          JOIN product ON product.id = tag.product_id
          JOIN label ON label.id = tag.label_id
          LEFT JOIN label AS parent ON parent.id = label.parent_id
          LEFT JOIN model_version ON model_version.id = tag.model_version_id AND tag.source = 'model'
    """,
    "review_queue": """
        SELECT product.sku AS sku, tag.attribute AS attribute, tag.review_reason AS reason, shown(label) AS tag,
               shown(guess_1) AS guess_1, tag.guess_1_confidence AS guess_1_confidence,
               shown(guess_2) AS guess_2, tag.guess_2_confidence AS guess_2_confidence,
               shown(guess_3) AS guess_3, tag.guess_3_confidence AS guess_3_confidence,
               source.root AS root, image.key AS image, model_version.name AS model,
               coalesce(tag.waiting_since, tag.model_at) AS waiting_since
          FROM tag
          JOIN product ON product.id = tag.product_id
          JOIN model_version ON model_version.id = tag.model_version_id
          LEFT JOIN label ON label.id = tag.label_id
          LEFT JOIN label AS guess_1 ON guess_1.id = tag.guess_1_id
          LEFT JOIN label AS guess_2 ON guess_2.id = tag.guess_2_id
          LEFT JOIN label AS guess_3 ON guess_3.id = tag.guess_3_id
          LEFT JOIN image ON image.id = tag.deciding_image_id
          LEFT JOIN source ON source.id = image.source_id
         WHERE tag.needs_review
    """,
    "image_failures": """
        SELECT product.sku AS sku, source.root AS root, image.key AS image, image.failure_code AS code,
               image.failure_reason AS reason, image.run_id AS run, image.failed_at AS failed_at
          FROM image
          JOIN product ON product.id = image.product_id
          JOIN source ON source.id = image.source_id
         WHERE image.failure_code IS NOT NULL AND image.gone_at IS NULL
    """,
    "disagreements": """
        SELECT product.sku AS sku, tag.attribute AS attribute, tag.imported_category AS imported_category,
               shown(imported) AS imported_label, shown(label) AS tag,
               CASE WHEN label.parent_id IS NULL THEN shown(label) ELSE shown(parent) END AS parent,
               tag.confidence AS confidence, tag.source AS source, tag.tagged_at AS tagged_at
          FROM tag
          JOIN product ON product.id = tag.product_id
          JOIN label AS imported ON imported.id = tag.imported_label_id
          JOIN label ON label.id = tag.label_id
          LEFT JOIN label AS parent ON parent.id = label.parent_id
         WHERE tag.imported_label_id <> tag.label_id -- most agree, and need no label for it
           AND shown(imported) <> shown(label)
           AND shown(imported) <> coalesce(shown(parent), '')
           AND NOT EXISTS (SELECT 1 FROM label AS child
                            WHERE child.parent_id = label.id AND shown(child) = shown(imported))
    """,
    "human_actions": """
        SELECT human_action.id AS id, product.sku AS sku, human_action.attribute AS attribute,
               human_action.action AS action, shown(label) AS tag, human_action.acted_by AS acted_by,
               human_action.acted_at AS acted_at, undo.acted_by AS undone_by, undo.acted_at AS undone_at
          FROM human_action
          JOIN product ON product.id = human_action.product_id
          JOIN label ON label.id = human_action.label_id
          LEFT JOIN human_action AS undo ON undo.undoes_id = human_action.id
         WHERE human_action.action <> 'undone'
    """,
    "tag_changes": """
        SELECT tag_event.id AS id, product.sku AS sku, tag_event.attribute AS attribute, shown(old) AS old_tag,
               shown(new) AS new_tag, tag_event.source AS source, tag_event.changed_by AS changed_by,
               tag_event.run_id AS run, tag_event.changed_at AS changed_at
          FROM tag_event
          JOIN product ON product.id = tag_event.product_id
          LEFT JOIN label AS old ON old.id = tag_event.old_label_id
          LEFT JOIN label AS new ON new.id = tag_event.new_label_id
         WHERE coalesce(shown(old), '') <> coalesce(shown(new), '')
    """,
}


def create_views(connection: Connection, names: Iterable[str] | None = None) -> None:
    """Create the views of these names, or all; they must not be there."""
    for name in VIEWS if names is None else names:
        spelled = re.sub(r"\bshown\((\w+)\)", r"nullif(coalesce(\1.category, \1.name), '')", VIEWS[name])
        connection.execute(text(f"CREATE VIEW {name} AS {spelled}"))


def drop_views(connection: Connection) -> None:
    """Drop every view that is there."""
    # In one statement PostgreSQL refuses for all that stands on any of them, and names it; SQLite takes one at a time.
    lists = [", ".join(VIEWS)] if connection.dialect.name == "postgresql" else VIEWS
    for names in filter(None, lists):
        connection.execute(text(f"DROP VIEW IF EXISTS {names}"))
