-- A job that was put into the queue once more while it ran, and may have looked already: it runs again.
ALTER TABLE jobs ADD COLUMN again boolean NOT NULL DEFAULT false;
