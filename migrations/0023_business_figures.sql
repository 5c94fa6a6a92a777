-- Figures of the business across all tenants, for the operator: counted from the event log by whichever server is first,
-- so that all servers tell the same and none counts twice.
CREATE TABLE business_figures (
    figure              text PRIMARY KEY,
    total               bigint NOT NULL,
    counted_at          timestamptz NOT NULL
);

-- How far each tenant's event log is counted. Its figures stay when the tenant goes.
CREATE TABLE business_figure_positions (
    tenant_id           uuid PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    seq                 bigint NOT NULL
);
