-- The plan that a tenant is on: a name that the operator's file of plans gives limits to.
ALTER TABLE tenants ADD COLUMN plan text
    CONSTRAINT tenants_plan_check CHECK (plan ~ '^[a-z][a-z0-9_-]{0,39}$');
