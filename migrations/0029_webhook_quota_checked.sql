-- Looks at the quotas that are there. Reading and writing go on meanwhile.
ALTER TABLE tenants VALIDATE CONSTRAINT tenants_quota_webhook_endpoints_check;
