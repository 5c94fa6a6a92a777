-- When a delivery changed last, so that what changed since a moment is found without events of it. One that was there before
-- has not changed.
ALTER TABLE webhook_deliveries ADD COLUMN changed_at timestamptz;
ALTER TABLE webhook_deliveries ALTER COLUMN changed_at SET DEFAULT now();
