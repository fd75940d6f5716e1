-- History grows and never changes, save that a text may be erased: payload and salt become NULL, both at once.

CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND NEW.payload IS NULL AND NEW.salt IS NULL
        AND NEW.incident_id = OLD.incident_id AND NEW.seq = OLD.seq AND NEW.workspace = OLD.workspace
        AND NEW.at = OLD.at AND NEW.recorded_at = OLD.recorded_at AND NEW.kind = OLD.kind
        AND NEW.commitment = OLD.commitment AND NEW.hash = OLD.hash
    THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'history is append-only: an entry can be erased, not changed';
    END IF;
    RAISE EXCEPTION 'history is append-only: an entry cannot be deleted';
END;
$$;

CREATE TRIGGER history_keeps_every_entry BEFORE DELETE ON history
FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

CREATE TRIGGER history_keeps_every_entry_at_once BEFORE TRUNCATE ON history
FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only();

CREATE TRIGGER history_only_erases BEFORE UPDATE ON history
FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
