-- The event log, made for reading along: in partitions of a day, so that what is past its days is dropped as a whole,
-- and with the record as it stood after each event, so that filters can be held against it later.
--
-- What was logged so far goes: nothing could be read from it, and the audit log keeps what happened. The numbers go on
-- where they were.
DROP TABLE events;

-- `record` is the record after the event, under the names of its columns; for a deleted one, as it was last. What it
-- was before follows from it by `before`, which holds the old values of the columns that had others; a column in
-- `changed` that is not there had a value that is not known. `logged_at` is the
-- database's time and only says which partition a row is in.
CREATE TABLE events (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    seq                 bigint NOT NULL,
    kind                text NOT NULL,
    entity              text NOT NULL,
    entity_id           uuid NOT NULL,
    version             integer NOT NULL,
    changed             text[] NOT NULL DEFAULT '{}',
    before              jsonb,
    record              jsonb,
    visible_before      text,
    visible_after       text,
    actor               text NOT NULL,
    request_id          text NOT NULL,
    occurred_at         timestamptz NOT NULL,
    logged_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, seq, logged_at)
) PARTITION BY RANGE (logged_at);

-- Takes what no day takes: a server that was not there to make the days in time loses nothing.
CREATE TABLE events_default PARTITION OF events DEFAULT;
