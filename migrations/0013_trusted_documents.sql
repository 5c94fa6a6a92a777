-- Tenants and keys that run only the documents that the operator has listed.
ALTER TABLE tenants ADD COLUMN trusted_documents_only boolean NOT NULL DEFAULT false;
ALTER TABLE api_keys ADD COLUMN trusted_documents_only boolean NOT NULL DEFAULT false;
