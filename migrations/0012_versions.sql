-- Up to which entry of the audit log each kind of a tenant's records has changed: {"opportunity": 812, …}. Every change
-- leaves an entry and every entry moves its kind here, in the same UPDATE that numbers it; so what was answered of some
-- kinds is as good as new for as long as their numbers stand still.
ALTER TABLE tenant_seq ADD COLUMN changed jsonb NOT NULL DEFAULT '{}';
