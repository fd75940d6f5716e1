-- History grows and never changes, save that a text may be erased: payload and salt become NULL, both at once.

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
