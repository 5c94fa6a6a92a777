-- What the database is at, for servers that ask whether they can serve it. They may not read sqlx's own table.

-- One row. `floor` is the oldest migration whose servers can still serve: a migration that takes something away which
-- older servers need sets it (UPDATE app.schema_state SET floor = …). `policies` is the revision of the policy files.
CREATE TABLE app.schema_state (
    one                 boolean PRIMARY KEY DEFAULT true CONSTRAINT schema_state_one_check CHECK (one),
    floor               bigint NOT NULL DEFAULT 0,
    policies            integer NOT NULL DEFAULT 0
);
INSERT INTO app.schema_state DEFAULT VALUES;

CREATE VIEW app.schema_version AS
    SELECT coalesce((SELECT array_agg(m.version ORDER BY m.version) FROM public._sqlx_migrations m WHERE m.success), '{}') AS migrations,
           s.policies, s.floor
    FROM app.schema_state s;
