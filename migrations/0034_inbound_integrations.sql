-- Messages that services send about records that are kept in step.
ALTER TABLE inbound_endpoints ADD COLUMN integration_id uuid;
