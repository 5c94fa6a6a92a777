-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_deliveries_changed_idx ON webhook_deliveries (tenant_id, changed_at, webhook_delivery_id);
