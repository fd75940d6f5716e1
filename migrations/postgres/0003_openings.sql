-- Incidents that alerts have opened within the last minute or so, by the team that they call ('' for none): what a storm is
-- noticed by. Rows of earlier are swept away.
CREATE TABLE openings (
    workspace   TEXT   NOT NULL,
    team        TEXT   NOT NULL,
    opened_at   BIGINT NOT NULL,
    incident_id BIGINT NOT NULL,
    PRIMARY KEY (workspace, team, opened_at, incident_id)
);
