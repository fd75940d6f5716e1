-- What is read in place of entries that were erased because they named somebody who was made anonymous.
CREATE TABLE substitutes (
    incident_id BIGINT NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    seq         BIGINT NOT NULL,
    payload     TEXT   NOT NULL,
    PRIMARY KEY (incident_id, seq)
);
