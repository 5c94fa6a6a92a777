-- The trace of the request that made an event, as a `traceparent` header names it, so that its delivery can be linked to it.
ALTER TABLE events ADD COLUMN trace text;
