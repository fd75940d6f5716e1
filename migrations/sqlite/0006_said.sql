-- What Slack last accepted for each message of ours, as a sum, so that no edit says the same again. An empty sum: nobody
-- knows. What is accepted before `since` does not count: an earlier edit of unknown outcome may still arrive.
CREATE TABLE said (
    incident_id INTEGER NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    surface     TEXT    NOT NULL,
    sum         TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    PRIMARY KEY (incident_id, surface)
) STRICT, WITHOUT ROWID;
