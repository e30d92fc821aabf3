-- Roles for a catalog on PostgreSQL: who needs what, and no more. Run by the owner of the tables (who runs
-- `hangtag db upgrade`), once, and again after each upgrade to a new revision, or that says that it made views anew:
--
--     psql "$HANGTAG_DATABASE_URL" --set ON_ERROR_STOP=1 --single-transaction --file docs/roles.sql
--
-- The three roles are the server's: whoever makes them needs CREATEROLE; where they are there, as of another catalog,
-- the owner of the tables is enough. A catalog in another schema than public needs its name in place of public's.
--
-- They cannot log in themselves. Give them to users of yours:
--
--     CREATE ROLE shop_worker LOGIN PASSWORD '…' IN ROLE hangtag_worker;
--     CREATE ROLE shop_bi LOGIN PASSWORD '…' IN ROLE hangtag_reader;
--
-- hangtag_worker  is for `worker`, `beat`, `tag`, `enqueue`, `retag`, `doctor` and all that only asks. It writes
--                 images, predictions and the model's columns of a tag; what people said it can read, never change.
-- hangtag_editor  is hangtag_worker and what people say: `correct`, `confirm`, `reject`, `undo`, `taxonomy`, `models`;
--                 a worker that trains (HANGTAG_TRAINING) promotes, and needs it too.
-- hangtag_reader  sees the views, and no table.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['hangtag_worker', 'hangtag_editor', 'hangtag_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE 'CREATE ROLE ' || quote_ident(wanted) || ' NOLOGIN';
        END IF;
    END LOOP;
    IF NOT pg_has_role('hangtag_editor', 'hangtag_worker', 'MEMBER') THEN
        GRANT hangtag_worker TO hangtag_editor;
    END IF;
END $$;

GRANT USAGE ON SCHEMA public TO hangtag_worker, hangtag_reader;

-- What a former version of this file gave and this one does not is taken back.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM hangtag_worker, hangtag_editor, hangtag_reader;

GRANT SELECT ON product_tags, review_queue, image_failures, disagreements, human_actions, tag_changes TO hangtag_reader;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO hangtag_worker;
GRANT INSERT, UPDATE ON source, product, image, chunk, run, prediction, training, refused_message TO hangtag_worker;
GRANT INSERT, UPDATE, DELETE ON worker TO hangtag_worker;
GRANT DELETE ON chunk TO hangtag_worker;
-- The first run brings the bundle of the package, and a newer hangtag stores its own beside the current one.
GRANT INSERT ON model_version, model_artifact, model_label, label, promotion TO hangtag_worker;
-- Only where no model is current yet; every later promotion is a person's.
ALTER TABLE promotion ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS hangtag_seen ON promotion;
DROP POLICY IF EXISTS hangtag_first ON promotion;
DROP POLICY IF EXISTS hangtag_any ON promotion;
CREATE POLICY hangtag_seen ON promotion FOR SELECT USING (true);
CREATE POLICY hangtag_first ON promotion FOR INSERT TO hangtag_worker
    WITH CHECK (NOT EXISTS (SELECT FROM promotion AS before));
CREATE POLICY hangtag_any ON promotion FOR INSERT TO hangtag_editor WITH CHECK (true);
-- PostgreSQL lets only those hold a row (FOR SHARE) who may update some column of it.
GRANT UPDATE (id) ON label TO hangtag_worker;
GRANT INSERT ON tag_event TO hangtag_worker;
GRANT INSERT (
    product_id, attribute, model_version_id, model_label_id, model_confidence, review_reason, guess_1_id,
    guess_1_confidence, guess_2_id, guess_2_confidence, guess_3_id, guess_3_confidence, deciding_image_id,
    model_run_id, model_at, waiting_since, imported_category, imported_label_id
) ON tag TO hangtag_worker;
GRANT UPDATE (
    model_version_id, model_label_id, model_confidence, review_reason, guess_1_id, guess_1_confidence, guess_2_id,
    guess_2_confidence, guess_3_id, guess_3_confidence, deciding_image_id, model_run_id, model_at, waiting_since,
    imported_category, imported_label_id
) ON tag TO hangtag_worker;

GRANT INSERT, UPDATE ON tag TO hangtag_editor;
GRANT INSERT ON human_action, threshold_change TO hangtag_editor;
GRANT INSERT, UPDATE, DELETE ON rejected_label, label TO hangtag_editor;
GRANT UPDATE ON model_label, model_version TO hangtag_editor;
GRANT DELETE ON prediction TO hangtag_editor;
-- `models remove`: what never classified, which foreign keys hold it to.
GRANT DELETE ON model_label, model_artifact, model_version TO hangtag_editor;

GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO hangtag_worker;
