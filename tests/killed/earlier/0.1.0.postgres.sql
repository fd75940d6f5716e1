SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.history_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE public.alerts (
    workspace text NOT NULL,
    integration text NOT NULL,
    dedup_key text NOT NULL,
    incident_id bigint NOT NULL,
    open boolean NOT NULL,
    count bigint NOT NULL,
    last_at bigint NOT NULL
);
CREATE TABLE public.captures (
    workspace text NOT NULL,
    channel text NOT NULL,
    ts text NOT NULL,
    incident_id bigint NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE public.counters (
    workspace text NOT NULL,
    name text NOT NULL,
    value bigint NOT NULL
);
CREATE TABLE public.history (
    incident_id bigint NOT NULL,
    seq bigint NOT NULL,
    workspace text NOT NULL,
    at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    kind text NOT NULL,
    payload text,
    salt text,
    commitment text NOT NULL,
    hash text NOT NULL
);
CREATE TABLE public.inbox (
    workspace text NOT NULL,
    key text NOT NULL,
    received_at bigint NOT NULL,
    answer text NOT NULL
);
CREATE TABLE public.incidents (
    id bigint NOT NULL,
    workspace text NOT NULL,
    number bigint NOT NULL,
    status text NOT NULL,
    severity text NOT NULL,
    open boolean NOT NULL,
    private boolean NOT NULL,
    channel text,
    opened_at bigint NOT NULL,
    resolved_at bigint,
    last_seq bigint NOT NULL,
    head text NOT NULL,
    search text NOT NULL,
    state text NOT NULL,
    updated_at bigint NOT NULL
);
CREATE TABLE public.outbox (
    id bigint NOT NULL,
    workspace text NOT NULL,
    incident_id bigint,
    lane bigint NOT NULL,
    slot text,
    effect text NOT NULL,
    state text NOT NULL,
    attempt bigint NOT NULL,
    ready_at bigint NOT NULL,
    created_at bigint NOT NULL,
    due_at bigint,
    uncertain boolean NOT NULL,
    error text,
    CONSTRAINT outbox_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'dead'::text])))
);
ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.people (
    workspace text NOT NULL,
    user_id text NOT NULL,
    person text NOT NULL,
    fetched_at bigint NOT NULL
);
CREATE TABLE public.settings (
    key text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.timers (
    incident_id bigint NOT NULL,
    name text NOT NULL,
    workspace text NOT NULL,
    timer text NOT NULL,
    due_at bigint NOT NULL
);
CREATE TABLE public.user_groups (
    workspace text NOT NULL,
    group_id text NOT NULL,
    user_group text NOT NULL,
    fetched_at bigint NOT NULL
);
INSERT INTO public._sqlx_migrations VALUES (1, 'tables', '2025-01-01 12:00:00.521248+00', true, '\x745a8e7684da35d1ef1db87ff049154599afca9b072b85e04ae25a00943f5b6233b4766a65b5a3089ff35d3ce851d5ee', 103125095);
INSERT INTO public._sqlx_migrations VALUES (2, 'history is append only', '2025-01-01 12:00:00.628251+00', true, '\xda32f88967a07e7b4bb1676dcf5843a3bd3e9d7a81bdcecad0f28eef8f1df1655fd3a86d4cd7575da8d38f204daef670', 4033239);
INSERT INTO public.counters VALUES ('T0SHOPFRNT', 'incident_number', 1);
INSERT INTO public.counters VALUES ('', 'incident_id', 1);
INSERT INTO public.history VALUES (1, 1, 'T0SHOPFRNT', 1735732800697069, 1735732800697069, 'opened', '{"at":"2025-01-01T12:00:00.697069Z","actor":{"who":"person","user":"U0ANA00001"},"event":{"type":"opened","number":1,"title":"checkout is slow","severity":"sev3","private":false,"zone":"America/New_York","origin":{"by":"command","channel":"C0SHOPOPS1"},"declares":true,"nonce":"3f23590ac7bd49a8744f081011226914"}}', '836de0af2903c930d6c30c71f91f9ce7', '446b68dba8ded49544ef05141ed532d62761a172392f678e8526f37c6c4f1882', '521d8a22489a03ba56aa08f67b1e9c5b12ad66fabe634d73c494134adbd7f885');
INSERT INTO public.history VALUES (1, 2, 'T0SHOPFRNT', 1735732800697069, 1735732800697069, 'escalated', '{"at":"2025-01-01T12:00:00.697069Z","actor":{"who":"person","user":"U0ANA00001"},"event":{"type":"escalated","escalation":1,"team":{"key":"db-team","name":"Database team"},"text":null,"policy":{"tiers":[{"targets":[{"kind":"user","user":"U0DANA0001"}],"wait_s":30},{"targets":[{"kind":"user","user":"U0ELI00001"},{"kind":"user","user":"U0BEN00001"}],"wait_s":10}],"rounds":1,"ack_timeout_s":null,"hand_off_to":null}}}', '2fb8039ca1316628c7d7f31ca5a67524', '3458e5eb52dc017c46fa470653f3baf98eb3f24bf6d2f98fe57080025fa27c38', '635109168885fe5fbfc077faf4c1e92ac3952992f4c2b325617c3ecffd28c501');
INSERT INTO public.history VALUES (1, 3, 'T0SHOPFRNT', 1735732800697069, 1735732800697069, 'tier_started', '{"at":"2025-01-01T12:00:00.697069Z","actor":{"who":"firebell"},"event":{"type":"tier_started","escalation":1,"step":{"round":1,"tier":1,"generation":1},"due_at":"2025-01-01T12:00:00.697069Z","next_due_at":"2025-01-01T12:00:30.697069Z","pages":[{"page":1,"to":{"kind":"user","user":"U0DANA0001"},"because":"named in the policy"}],"unreachable":[]}}', '3736976aaa9c1148d958a210ce2fba94', '6cf0850f7bb99ae6bc65809e2bf700194a9097162569ecc78a3cbb7dfe0a0f60', 'b78ab871000fbc33fea083dd1899e644cfff56f93c510cd2577eecb80800ad3a');
INSERT INTO public.history VALUES (1, 4, 'T0SHOPFRNT', 1735732800725138, 1735732800725138, 'channel_created', '{"at":"2025-01-01T12:00:00.725138Z","actor":{"who":"firebell"},"event":{"type":"channel_created","channel":"C0S0000005","name":"inc-1-checkout-is-slow"}}', 'aa55ba4d6498e025021d91f0142ab510', 'a39c67600f6b9c43b736848ecc05f7f16c3e965d4758391b6f30e700eb6262a9', '522509f2821b934aab7923e04314f6c568561a3037b8f068ba4fd6dd71c81b8c');
INSERT INTO public.history VALUES (1, 5, 'T0SHOPFRNT', 1735732800725138, 1735732800725138, 'announcement_posted', '{"at":"2025-01-01T12:00:00.725138Z","actor":{"who":"firebell"},"event":{"type":"announcement_posted","message":{"channel":"C0INCIDENT","ts":"1735732800.236723"}}}', '367f6e768bdc7732bb0f365acf75aec9', '6a695bce687f2cca670bb27ec5cff13b56a2de96a19b9abc7c9f323432e21373', '5fe283a6ac1aa8a9422f98048085591f199c3a650cf7613447d41475ac6890e3');
INSERT INTO public.history VALUES (1, 6, 'T0SHOPFRNT', 1735732800725138, 1735732800725138, 'page_attempted', '{"at":"2025-01-01T12:00:00.725138Z","actor":{"who":"firebell"},"event":{"type":"page_attempted","page":1,"attempt":1,"result":{"result":"sent","message":{"channel":"D0S000000B","ts":"1735732800.236851"}}}}', 'f49ed7aa030f88a04777945cf9c3aac1', 'cf69431e200775707e5f4a1232f959080ee498f1461c4dba0b09c7e23b0591e3', 'dde58a28e95c61a69f67f7e2c2f1e8ea7460fc19ab696797d41f27e53e0d179a');
INSERT INTO public.history VALUES (1, 7, 'T0SHOPFRNT', 1735732800738105, 1735732800738105, 'escalation_posted', '{"at":"2025-01-01T12:00:00.738105Z","actor":{"who":"firebell"},"event":{"type":"escalation_posted","escalation":1,"message":{"channel":"C0S0000005","ts":"1735732800.252404"}}}', '991dbecad3c0bdfc89a7fccc2cd72c28', '9186b59d785d8a237d843b44889bbc23ddb7945e51ec5cedf6769bebd86780bc', '5719861cdf87ef53633e36f7c47664bcf9e73e91f761d93e5618d254654ee31f');
INSERT INTO public.history VALUES (1, 8, 'T0SHOPFRNT', 1735732800748354, 1735732800748354, 'card_posted', '{"at":"2025-01-01T12:00:00.748354Z","actor":{"who":"firebell"},"event":{"type":"card_posted","message":{"channel":"C0S0000005","ts":"1735732800.256384"}}}', 'cc0bb4046522a7992c54df5d411d6d79', 'c2c1d54de3c6b788f6ed862f5a0f107756d97dde094d0c28d9e11430f92514f7', '63bdc9c43e77042cf4aaa7fb3dab2f861a3d65fef8a05a817c2421722b848ed0');
INSERT INTO public.incidents VALUES (1, 'T0SHOPFRNT', 1, 'investigating', 'SEV3', true, false, 'C0S0000005', 1735732800697069, NULL, 8, '63bdc9c43e77042cf4aaa7fb3dab2f861a3d65fef8a05a817c2421722b848ed0', 'inc-1 checkout is slow database team', '{"id":1,"workspace":"T0SHOPFRNT","number":1,"title":"checkout is slow","severity":"sev3","status":"investigating","private":false,"zone":"America/New_York","origin":{"by":"command","channel":"C0SHOPOPS1"},"nonce":"3f23590ac7bd49a8744f081011226914","opened_at":"2025-01-01T12:00:00.697069Z","opened_by":{"who":"person","user":"U0ANA00001"},"declares":true,"resolved_at":null,"concluded":false,"last_seq":8,"last_update_at":null,"updates_waiting":[],"roles":{},"responders":["U0ANA00001","U0DANA0001"],"impact_start_at":null,"impact_end_at":null,"fields":{},"measures":[],"tasks":[],"tasks_ever":0,"prose":{},"teams":[{"key":"db-team","name":"Database team"}],"escalations":{"1":{"id":1,"team":{"key":"db-team","name":"Database team"},"policy":{"tiers":[{"targets":[{"kind":"user","user":"U0DANA0001"}],"wait_s":30},{"targets":[{"kind":"user","user":"U0ELI00001"},{"kind":"user","user":"U0BEN00001"}],"wait_s":10}],"rounds":1,"ack_timeout_s":null,"hand_off_to":null},"reason":null,"called_by":{"who":"person","user":"U0ANA00001"},"started_at":"2025-01-01T12:00:00.697069Z","phase":{"phase":"active","next_due_at":"2025-01-01T12:00:30.697069Z"},"step":{"round":1,"tier":1,"generation":1},"fired_at":"2025-01-01T12:00:00.697069Z","message":{"channel":"C0S0000005","ts":"1735732800.252404"}}},"pages":{"1":{"id":1,"escalation":1,"step":{"round":1,"tier":1,"generation":1},"to":{"kind":"user","user":"U0DANA0001"},"because":"named in the policy","due_at":"2025-01-01T12:00:00.697069Z","attempts":1,"message":{"channel":"D0S000000B","ts":"1735732800.236851"},"dead":false,"declined":false}},"alerts":[],"channel":{"state":"open","id":"C0S0000005","name":"inc-1-checkout-is-slow"},"card":{"channel":"C0S0000005","ts":"1735732800.256384"},"announcement":{"channel":"C0INCIDENT","ts":"1735732800.236723"},"postmortem_message":null,"clock_sets":0}', 1735732800748354);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0ANA00001', '{"id":"U0ANA00001","name":"Ana","zone":"America/New_York","deactivated":false,"is_bot":false,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0BEN00001', '{"id":"U0BEN00001","name":"Ben","zone":"America/New_York","deactivated":false,"is_bot":false,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0CHRIS001', '{"id":"U0CHRIS001","name":"Chris","zone":"America/Chicago","deactivated":false,"is_bot":false,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0DANA0001', '{"id":"U0DANA0001","name":"Dana","zone":"America/New_York","deactivated":false,"is_bot":false,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0ELI00001', '{"id":"U0ELI00001","name":"Eli","zone":"Europe/London","deactivated":false,"is_bot":false,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0FAY00001', '{"id":"U0FAY00001","name":"Fay","zone":"America/Los_Angeles","deactivated":false,"is_bot":false,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0FIREBELL', '{"id":"U0FIREBELL","name":"Firebell","zone":"America/New_York","deactivated":false,"is_bot":true,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0GUEST001', '{"id":"U0GUEST001","name":"Gil","zone":"Europe/Berlin","deactivated":false,"is_bot":false,"restricted":true,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0HANNE001', '{"id":"U0HANNE001","name":"Hanne","zone":null,"deactivated":true,"is_bot":false,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.people VALUES ('T0SHOPFRNT', 'U0MONITOR1', '{"id":"U0MONITOR1","name":"Shopwatch","zone":"America/New_York","deactivated":false,"is_bot":true,"restricted":false,"external":false}', 1735732800665438);
INSERT INTO public.settings VALUES ('workspace', 'T0SHOPFRNT');
INSERT INTO public.settings VALUES ('workspace_url', 'https://shopfront.slack.com/');
INSERT INTO public.settings VALUES ('channels', '{"alerts":"C0ALERTS01","general":"C0GENERAL1","incidents":"C0INCIDENT","shop-ops":"C0SHOPOPS1"}');
INSERT INTO public.timers VALUES (1, 'tier:1', 'T0SHOPFRNT', '{"timer":"tier_due","escalation":1,"generation":1}', 1735732830697069);
INSERT INTO public.user_groups VALUES ('T0SHOPFRNT', 'S0DBTEAM01', '{"id":"S0DBTEAM01","handle":"db-team","name":"Database team","users":["U0DANA0001","U0ELI00001"]}', 1735732800665438);
INSERT INTO public.user_groups VALUES ('T0SHOPFRNT', 'S0DEVTEAM1', '{"id":"S0DEVTEAM1","handle":"dev-team","name":"Development team","users":["U0BEN00001","U0CHRIS001"]}', 1735732800665438);
SELECT pg_catalog.setval('public.outbox_id_seq', 12, true);
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (workspace, integration, dedup_key, incident_id);
ALTER TABLE ONLY public.captures
    ADD CONSTRAINT captures_pkey PRIMARY KEY (workspace, channel, ts, incident_id, seq);
ALTER TABLE ONLY public.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (workspace, name);
ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (incident_id, seq);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (workspace, key);
ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT incidents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (workspace, user_id);
ALTER TABLE ONLY public.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (incident_id, name);
ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT user_groups_pkey PRIMARY KEY (workspace, group_id);
CREATE INDEX alerts_by_incident ON public.alerts USING btree (incident_id);
CREATE UNIQUE INDEX alerts_open ON public.alerts USING btree (workspace, integration, dedup_key) WHERE open;
CREATE INDEX inbox_by_age ON public.inbox USING btree (received_at);
CREATE INDEX incidents_by_channel ON public.incidents USING btree (workspace, channel) WHERE (channel IS NOT NULL);
CREATE UNIQUE INDEX incidents_by_number ON public.incidents USING btree (workspace, number);
CREATE INDEX incidents_open ON public.incidents USING btree (workspace, number) WHERE open;
CREATE INDEX outbox_by_ready ON public.outbox USING btree (ready_at) WHERE (state <> 'dead'::text);
CREATE INDEX outbox_dead ON public.outbox USING btree (id) WHERE (state = 'dead'::text);
CREATE INDEX outbox_pending ON public.outbox USING btree (incident_id) WHERE (state = 'pending'::text);
CREATE INDEX outbox_queue ON public.outbox USING btree (lane, id, ready_at) WHERE (state <> 'dead'::text);
CREATE INDEX outbox_sending ON public.outbox USING btree (incident_id, slot) WHERE (state = 'sending'::text);
CREATE UNIQUE INDEX outbox_slots ON public.outbox USING btree (incident_id, slot) WHERE ((state = 'pending'::text) AND (slot IS NOT NULL));
CREATE INDEX timers_by_due ON public.timers USING btree (due_at);
CREATE TRIGGER history_keeps_every_entry BEFORE DELETE ON public.history FOR EACH ROW EXECUTE FUNCTION public.history_is_append_only();
CREATE TRIGGER history_keeps_every_entry_at_once BEFORE TRUNCATE ON public.history FOR EACH STATEMENT EXECUTE FUNCTION public.history_is_append_only();
CREATE TRIGGER history_only_erases BEFORE UPDATE ON public.history FOR EACH ROW EXECUTE FUNCTION public.history_is_append_only();
ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incidents(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.captures
    ADD CONSTRAINT captures_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incidents(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incidents(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incidents(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.timers
    ADD CONSTRAINT timers_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES public.incidents(id) DEFERRABLE INITIALLY DEFERRED;
