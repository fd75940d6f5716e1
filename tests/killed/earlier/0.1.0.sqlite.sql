PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'tables','2025-01-01 12:00:00',1,X'6813EB4AEE25B32E38B7F86910A927FB45673ABB58AB0C7819A82FFD6604D2AEC51F91FB2E7F42B22AD23B35B7FD2C64',1526673);
INSERT INTO "_sqlx_migrations" VALUES(2,'history is append only','2025-01-01 12:00:00',1,X'1EDD62883D354B1E697D1B4AF6857A8CC4A29A4F32A560A466DC2FDD283DE8922EC7308C3A1DFDCF533181DEC2B66CBD',204527);
CREATE TABLE alerts (
    workspace   TEXT    NOT NULL,
    integration TEXT    NOT NULL,
    dedup_key   TEXT    NOT NULL,
    incident_id INTEGER NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    open        INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    PRIMARY KEY (workspace, integration, dedup_key, incident_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE captures (
    workspace   TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    ts          TEXT    NOT NULL,
    incident_id INTEGER NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (workspace, channel, ts, incident_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE counters (
    workspace TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    value     INTEGER NOT NULL,
    PRIMARY KEY (workspace, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "counters" VALUES('','incident_id',1);
INSERT INTO "counters" VALUES('T0SHOPFRNT','incident_number',1);
CREATE TABLE history (
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
) STRICT, WITHOUT ROWID;
INSERT INTO "history" VALUES(1,1,'T0SHOPFRNT',1735732800041075,1735732800041075,'opened','{"at":"2025-01-01T12:00:00.041075Z","actor":{"who":"person","user":"U0ANA00001"},"event":{"type":"opened","number":1,"title":"checkout is slow","severity":"sev3","private":false,"zone":"America/New_York","origin":{"by":"command","channel":"C0SHOPOPS1"},"declares":true,"nonce":"bf4638e64448a83fd03fd0a1a575838e"}}','90d45516d9582519626244316cace6e0','2233f272b8fca6585ef0a33b4e4bce0b61e080e2259f1b485426cec78af78b2a','1b0f11b83a2bd8e22f079750d7fc855a36265b62cf912206203dc4b56a18bb12');
INSERT INTO "history" VALUES(1,2,'T0SHOPFRNT',1735732800041075,1735732800041075,'escalated','{"at":"2025-01-01T12:00:00.041075Z","actor":{"who":"person","user":"U0ANA00001"},"event":{"type":"escalated","escalation":1,"team":{"key":"db-team","name":"Database team"},"text":null,"policy":{"tiers":[{"targets":[{"kind":"user","user":"U0DANA0001"}],"wait_s":30},{"targets":[{"kind":"user","user":"U0ELI00001"},{"kind":"user","user":"U0BEN00001"}],"wait_s":10}],"rounds":1,"ack_timeout_s":null,"hand_off_to":null}}}','aec70d9345a82f96e44fa459f42055e3','5359410d7c1f2d2c1cbc1f70e9aba27215821d9c13df265f6ab2fdb908004cbf','9bdcef9de192ff87f8b8d3245ed94eb9f0a62235bb62f9e62820d34c5d7ba13f');
INSERT INTO "history" VALUES(1,3,'T0SHOPFRNT',1735732800041075,1735732800041075,'tier_started','{"at":"2025-01-01T12:00:00.041075Z","actor":{"who":"firebell"},"event":{"type":"tier_started","escalation":1,"step":{"round":1,"tier":1,"generation":1},"due_at":"2025-01-01T12:00:00.041075Z","next_due_at":"2025-01-01T12:00:30.041075Z","pages":[{"page":1,"to":{"kind":"user","user":"U0DANA0001"},"because":"named in the policy"}],"unreachable":[]}}','cefec3a04fda7f401506a657eec49294','2a1eb8d1eceee92973aeb6afb5577dbb819069c8c445bcfbdedb135537bc43fa','b5913db8cec1fe199cdf50d1dbf435e77415caf674b850be7b6f9acf627693a0');
INSERT INTO "history" VALUES(1,4,'T0SHOPFRNT',1735732800046284,1735732800046284,'channel_created','{"at":"2025-01-01T12:00:00.046284Z","actor":{"who":"firebell"},"event":{"type":"channel_created","channel":"C0S0000005","name":"inc-1-checkout-is-slow"}}','dc323895a884dec2577e1929d2768277','b1c78fb414760b403eda944f80d125b1d859959681eeb2f9cc76b536e997322d','7872dbc63d79e84bd87c3431349bae8ec6b1bc5b24c933e35d89bf87694a59e7');
INSERT INTO "history" VALUES(1,5,'T0SHOPFRNT',1735732800046284,1735732800046284,'announcement_posted','{"at":"2025-01-01T12:00:00.046284Z","actor":{"who":"firebell"},"event":{"type":"announcement_posted","message":{"channel":"C0INCIDENT","ts":"1735732800.049425"}}}','bfceb1b1e3a1658ed75b1ce94139c617','745bdfb702df9fa4df1d8f7867594b29e90fef65f8b79d2c1e356da871d5fa78','cb09d8a9cf1b8b856d386cb28f3b9683a3f06d01311a74eb35525bde7611c100');
INSERT INTO "history" VALUES(1,6,'T0SHOPFRNT',1735732800046284,1735732800046284,'page_attempted','{"at":"2025-01-01T12:00:00.046284Z","actor":{"who":"firebell"},"event":{"type":"page_attempted","page":1,"attempt":1,"result":{"result":"sent","message":{"channel":"D0S000000B","ts":"1735732800.050357"}}}}','b5d45c404a7a73503bd66dc56963ccf0','4985f36d952c37625960f804928435ccf3bebb0f393c3920c28acbfa5526f07c','bc813fbd655a9ed190478cf78bf07924ab8e03d35aa08a8d2ba01fd5f3dfcb79');
INSERT INTO "history" VALUES(1,7,'T0SHOPFRNT',1735732800051553,1735732800051553,'escalation_posted','{"at":"2025-01-01T12:00:00.051553Z","actor":{"who":"firebell"},"event":{"type":"escalation_posted","escalation":1,"message":{"channel":"C0S0000005","ts":"1735732800.055344"}}}','4847d4faaff4ecb6590fc0764bb6207a','e886e295b8db3b9850789c01b5260ee5d7c8c2a1f0707082a7ca6bb554a66e24','b9f7a4242652da3bb0d91de58ef3b003810d3d03cdec82be53d5091f0dacfaf3');
INSERT INTO "history" VALUES(1,8,'T0SHOPFRNT',1735732800055698,1735732800055698,'card_posted','{"at":"2025-01-01T12:00:00.055698Z","actor":{"who":"firebell"},"event":{"type":"card_posted","message":{"channel":"C0S0000005","ts":"1735732800.057005"}}}','b6976ba2e170c8acff269602aea3e4c3','48647d576b16adb628dfe0956394d69ab13651626b41d2db23871c8f713ccba8','e02e7d0b835aec9c2e4a32496ea3a2676bbe108bea891b846f7fbbc712bdb296');
CREATE TABLE inbox (
    workspace   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    answer      TEXT    NOT NULL,
    PRIMARY KEY (workspace, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE incidents (
    id          INTEGER NOT NULL PRIMARY KEY,
    workspace   TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    open        INTEGER NOT NULL,
    private     INTEGER NOT NULL,
    channel     TEXT,
    opened_at   INTEGER NOT NULL,
    resolved_at INTEGER,
    last_seq    INTEGER NOT NULL,
    head        TEXT    NOT NULL,
    search      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
INSERT INTO "incidents" VALUES(1,'T0SHOPFRNT',1,'investigating','SEV3',1,0,'C0S0000005',1735732800041075,NULL,8,'e02e7d0b835aec9c2e4a32496ea3a2676bbe108bea891b846f7fbbc712bdb296','inc-1 checkout is slow database team','{"id":1,"workspace":"T0SHOPFRNT","number":1,"title":"checkout is slow","severity":"sev3","status":"investigating","private":false,"zone":"America/New_York","origin":{"by":"command","channel":"C0SHOPOPS1"},"nonce":"bf4638e64448a83fd03fd0a1a575838e","opened_at":"2025-01-01T12:00:00.041075Z","opened_by":{"who":"person","user":"U0ANA00001"},"declares":true,"resolved_at":null,"concluded":false,"last_seq":8,"last_update_at":null,"updates_waiting":[],"roles":{},"responders":["U0ANA00001","U0DANA0001"],"impact_start_at":null,"impact_end_at":null,"fields":{},"measures":[],"tasks":[],"tasks_ever":0,"prose":{},"teams":[{"key":"db-team","name":"Database team"}],"escalations":{"1":{"id":1,"team":{"key":"db-team","name":"Database team"},"policy":{"tiers":[{"targets":[{"kind":"user","user":"U0DANA0001"}],"wait_s":30},{"targets":[{"kind":"user","user":"U0ELI00001"},{"kind":"user","user":"U0BEN00001"}],"wait_s":10}],"rounds":1,"ack_timeout_s":null,"hand_off_to":null},"reason":null,"called_by":{"who":"person","user":"U0ANA00001"},"started_at":"2025-01-01T12:00:00.041075Z","phase":{"phase":"active","next_due_at":"2025-01-01T12:00:30.041075Z"},"step":{"round":1,"tier":1,"generation":1},"fired_at":"2025-01-01T12:00:00.041075Z","message":{"channel":"C0S0000005","ts":"1735732800.055344"}}},"pages":{"1":{"id":1,"escalation":1,"step":{"round":1,"tier":1,"generation":1},"to":{"kind":"user","user":"U0DANA0001"},"because":"named in the policy","due_at":"2025-01-01T12:00:00.041075Z","attempts":1,"message":{"channel":"D0S000000B","ts":"1735732800.050357"},"dead":false,"declined":false}},"alerts":[],"channel":{"state":"open","id":"C0S0000005","name":"inc-1-checkout-is-slow"},"card":{"channel":"C0S0000005","ts":"1735732800.057005"},"announcement":{"channel":"C0INCIDENT","ts":"1735732800.049425"},"postmortem_message":null,"clock_sets":0}',1735732800055698);
CREATE TABLE outbox (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    workspace   TEXT    NOT NULL,
    incident_id INTEGER REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    lane        INTEGER NOT NULL,
    slot        TEXT,
    effect      TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'dead')),
    attempt     INTEGER NOT NULL,
    ready_at    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    due_at      INTEGER,
    uncertain   INTEGER NOT NULL,
    error       TEXT
) STRICT;
CREATE TABLE people (
    workspace  TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    person     TEXT    NOT NULL,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "people" VALUES('T0SHOPFRNT','U0ANA00001','{"id":"U0ANA00001","name":"Ana","zone":"America/New_York","deactivated":false,"is_bot":false,"restricted":false,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0BEN00001','{"id":"U0BEN00001","name":"Ben","zone":"America/New_York","deactivated":false,"is_bot":false,"restricted":false,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0CHRIS001','{"id":"U0CHRIS001","name":"Chris","zone":"America/Chicago","deactivated":false,"is_bot":false,"restricted":false,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0DANA0001','{"id":"U0DANA0001","name":"Dana","zone":"America/New_York","deactivated":false,"is_bot":false,"restricted":false,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0ELI00001','{"id":"U0ELI00001","name":"Eli","zone":"Europe/London","deactivated":false,"is_bot":false,"restricted":false,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0FAY00001','{"id":"U0FAY00001","name":"Fay","zone":"America/Los_Angeles","deactivated":false,"is_bot":false,"restricted":false,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0FIREBELL','{"id":"U0FIREBELL","name":"Firebell","zone":"America/New_York","deactivated":false,"is_bot":true,"restricted":false,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0GUEST001','{"id":"U0GUEST001","name":"Gil","zone":"Europe/Berlin","deactivated":false,"is_bot":false,"restricted":true,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0HANNE001','{"id":"U0HANNE001","name":"Hanne","zone":null,"deactivated":true,"is_bot":false,"restricted":false,"external":false}',1735732800032656);
INSERT INTO "people" VALUES('T0SHOPFRNT','U0MONITOR1','{"id":"U0MONITOR1","name":"Shopwatch","zone":"America/New_York","deactivated":false,"is_bot":true,"restricted":false,"external":false}',1735732800032656);
CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "settings" VALUES('channels','{"alerts":"C0ALERTS01","general":"C0GENERAL1","incidents":"C0INCIDENT","shop-ops":"C0SHOPOPS1"}');
INSERT INTO "settings" VALUES('workspace','T0SHOPFRNT');
INSERT INTO "settings" VALUES('workspace_url','https://shopfront.slack.com/');
CREATE TABLE timers (
    incident_id INTEGER NOT NULL REFERENCES incidents (id) DEFERRABLE INITIALLY DEFERRED,
    name        TEXT    NOT NULL,
    workspace   TEXT    NOT NULL,
    timer       TEXT    NOT NULL,
    due_at      INTEGER NOT NULL,
    PRIMARY KEY (incident_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "timers" VALUES(1,'tier:1','T0SHOPFRNT','{"timer":"tier_due","escalation":1,"generation":1}',1735732830041075);
CREATE TABLE user_groups (
    workspace  TEXT    NOT NULL,
    group_id   TEXT    NOT NULL,
    user_group TEXT    NOT NULL,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, group_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "user_groups" VALUES('T0SHOPFRNT','S0DBTEAM01','{"id":"S0DBTEAM01","handle":"db-team","name":"Database team","users":["U0DANA0001","U0ELI00001"]}',1735732800032656);
INSERT INTO "user_groups" VALUES('T0SHOPFRNT','S0DEVTEAM1','{"id":"S0DEVTEAM1","handle":"dev-team","name":"Development team","users":["U0BEN00001","U0CHRIS001"]}',1735732800032656);
CREATE UNIQUE INDEX incidents_by_number ON incidents (workspace, number);
CREATE INDEX incidents_open ON incidents (workspace, number) WHERE open;
CREATE INDEX incidents_by_channel ON incidents (workspace, channel) WHERE channel IS NOT NULL;
CREATE INDEX timers_by_due ON timers (due_at);
CREATE UNIQUE INDEX outbox_slots ON outbox (incident_id, slot) WHERE state = 'pending' AND slot IS NOT NULL;
CREATE INDEX outbox_queue ON outbox (lane, id, ready_at) WHERE state <> 'dead';
CREATE INDEX outbox_by_ready ON outbox (ready_at) WHERE state <> 'dead';
CREATE INDEX outbox_pending ON outbox (incident_id) WHERE state = 'pending';
CREATE INDEX outbox_sending ON outbox (incident_id, slot) WHERE state = 'sending';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';
CREATE INDEX inbox_by_age ON inbox (received_at);
CREATE UNIQUE INDEX alerts_open ON alerts (workspace, integration, dedup_key) WHERE open;
CREATE INDEX alerts_by_incident ON alerts (incident_id);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',12);
COMMIT;
