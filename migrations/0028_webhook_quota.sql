-- How many servers elsewhere a tenant may have sent what happens.
ALTER TABLE tenants ADD COLUMN quota_webhook_endpoints integer NOT NULL DEFAULT 20;
ALTER TABLE tenants ADD CONSTRAINT tenants_quota_webhook_endpoints_check CHECK (quota_webhook_endpoints >= 0) NOT VALID;
