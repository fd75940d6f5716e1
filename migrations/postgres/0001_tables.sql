-- Instants are microseconds since 1970 (UTC); JSON is text; numbers are bigint.
-- The same tables as in migrations/sqlite; the numbers and names of the files agree.

-- The next free numbers. The workspace '' holds what is counted over all workspaces.
CREATE TABLE counters (
    workspace TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    value     BIGINT  NOT NULL,
    PRIMARY KEY (workspace, name)
);

-- What the history of each incident adds up to, and the end of its hash chain.
CREATE TABLE incidents (
    id          BIGINT  NOT NULL PRIMARY KEY,
    workspace   TEXT    NOT NULL,
    number      BIGINT  NOT NULL,
    status      TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    open        BOOLEAN NOT NULL,
    private     BOOLEAN NOT NULL,
    channel     TEXT,
    opened_at   BIGINT  NOT NULL,
    resolved_at BIGINT,
    last_seq    BIGINT  NOT NULL,
    head        TEXT    NOT NULL,
    search      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    updated_at  BIGINT  NOT NULL
);
CREATE UNIQUE INDEX incidents_by_number ON incidents (workspace, number);
CREATE INDEX incidents_open ON incidents (workspace, number) WHERE open;
CREATE INDEX incidents_by_channel ON incidents (workspace, channel) WHERE channel IS NOT NULL;

-- Every event, for ever. Erasing a text sets its payload and salt to NULL.
CREATE TABLE history (
    incident_id BIGINT  NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    seq         BIGINT  NOT NULL,
    workspace   TEXT    NOT NULL,
    at          BIGINT  NOT NULL,
    recorded_at BIGINT  NOT NULL,
    kind        TEXT    NOT NULL,
    payload     TEXT,
    salt        TEXT,
    commitment  TEXT    NOT NULL,
    hash        TEXT    NOT NULL,
    PRIMARY KEY (incident_id, seq)
);

CREATE TABLE timers (
    incident_id BIGINT  NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    name        TEXT    NOT NULL,
    workspace   TEXT    NOT NULL,
    timer       TEXT    NOT NULL,
    due_at      BIGINT  NOT NULL,
    PRIMARY KEY (incident_id, name)
);
CREATE INDEX timers_by_due ON timers (due_at);

-- What must happen outside. ready_at: while pending, not before it; while sending, the end of the lease.
CREATE TABLE outbox (
    id          BIGINT  NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    workspace   TEXT    NOT NULL,
    incident_id BIGINT  REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    lane        BIGINT  NOT NULL,
    slot        TEXT,
    effect      TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'dead')),
    attempt     BIGINT  NOT NULL,
    ready_at    BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    due_at      BIGINT,
    uncertain   BOOLEAN NOT NULL,
    error       TEXT
);
CREATE UNIQUE INDEX outbox_slots ON outbox (incident_id, slot) WHERE state = 'pending' AND slot IS NOT NULL;
CREATE INDEX outbox_queue ON outbox (lane, id, ready_at) WHERE state <> 'dead';
CREATE INDEX outbox_by_ready ON outbox (ready_at) WHERE state <> 'dead';
CREATE INDEX outbox_pending ON outbox (incident_id) WHERE state = 'pending';
CREATE INDEX outbox_sending ON outbox (incident_id, slot) WHERE state = 'sending';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';

-- Deliveries that were handled, and what was answered.
CREATE TABLE inbox (
    workspace   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    received_at BIGINT  NOT NULL,
    answer      TEXT    NOT NULL,
    PRIMARY KEY (workspace, key)
);
CREATE INDEX inbox_by_age ON inbox (received_at);

CREATE TABLE alerts (
    workspace   TEXT    NOT NULL,
    integration TEXT    NOT NULL,
    dedup_key   TEXT    NOT NULL,
    incident_id BIGINT  NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    open        BOOLEAN NOT NULL,
    count       BIGINT  NOT NULL,
    last_at     BIGINT  NOT NULL,
    PRIMARY KEY (workspace, integration, dedup_key, incident_id)
);
CREATE UNIQUE INDEX alerts_open ON alerts (workspace, integration, dedup_key) WHERE open;
CREATE INDEX alerts_by_incident ON alerts (incident_id);

-- Slack messages that were taken into a timeline.
CREATE TABLE captures (
    workspace   TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    ts          TEXT    NOT NULL,
    incident_id BIGINT  NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    seq         BIGINT  NOT NULL,
    PRIMARY KEY (workspace, channel, ts, incident_id, seq)
);

CREATE TABLE people (
    workspace  TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    person     TEXT    NOT NULL,
    fetched_at BIGINT  NOT NULL,
    PRIMARY KEY (workspace, user_id)
);

CREATE TABLE user_groups (
    workspace  TEXT    NOT NULL,
    group_id   TEXT    NOT NULL,
    user_group TEXT    NOT NULL,
    fetched_at BIGINT  NOT NULL,
    PRIMARY KEY (workspace, group_id)
);

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
