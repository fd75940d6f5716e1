-- Entries and answers are longer than what SQLite keeps well within the tree of their keys: each tree page held few of them,
-- and an append changed several pages. As rows beside their keys they fill page after page.

CREATE TABLE history_rows (
    incident_id INTEGER NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    seq         INTEGER NOT NULL,
    workspace   TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    payload     TEXT,
    salt        TEXT,
    commitment  TEXT    NOT NULL,
    hash        TEXT    NOT NULL,
    PRIMARY KEY (incident_id, seq)
) STRICT;
INSERT INTO history_rows SELECT * FROM history ORDER BY incident_id, seq;
DROP TABLE history;
ALTER TABLE history_rows RENAME TO history;

CREATE TRIGGER history_keeps_every_entry BEFORE DELETE ON history
BEGIN
    SELECT RAISE(ABORT, 'history is append-only: an entry cannot be deleted');
END;

CREATE TRIGGER history_only_erases BEFORE UPDATE ON history
WHEN NOT (
    NEW.payload IS NULL AND NEW.salt IS NULL
    AND NEW.incident_id = OLD.incident_id AND NEW.seq = OLD.seq AND NEW.workspace = OLD.workspace
    AND NEW.at = OLD.at AND NEW.recorded_at = OLD.recorded_at AND NEW.kind = OLD.kind
    AND NEW.commitment = OLD.commitment AND NEW.hash = OLD.hash
)
BEGIN
    SELECT RAISE(ABORT, 'history is append-only: an entry can be erased, not changed');
END;

-- Answers lie in the order in which they came, so that the oldest are found without an index.
CREATE TABLE inbox_rows (
    workspace   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    answer      TEXT    NOT NULL,
    PRIMARY KEY (workspace, key)
) STRICT;
INSERT INTO inbox_rows SELECT * FROM inbox ORDER BY received_at;
DROP TABLE inbox;
ALTER TABLE inbox_rows RENAME TO inbox;
