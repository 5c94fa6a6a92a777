-- How far a sign-in is good, and in which tenants a session is at the same time.

ALTER TABLE sessions
    -- Whether it is good for all of the account: opened by a password, a second factor of the account's own, or a
    -- provider that the operator trusts with all tenants. Those that are open already are judged by their provider alone.
    ADD COLUMN account             boolean NOT NULL DEFAULT true,
    -- The tenants beside `tenant_id` that access tokens were got for, of tabs that are in other tenants.
    ADD COLUMN beside              uuid[] NOT NULL DEFAULT '{}';
ALTER TABLE sessions ALTER COLUMN account SET DEFAULT false;

-- Whether the app was set up by whoever showed that the account is theirs. Of those that are in use it is not known.
ALTER TABLE users ADD COLUMN totp_own boolean NOT NULL DEFAULT false;
-- An app that is being set up was not asked for that; it is set up anew.
UPDATE users SET totp_pending = NULL WHERE totp_pending IS NOT NULL;

-- A place in the tree of teams is one or more segments. An empty one would be above all teams, so that the scope `team`
-- would reach the whole tenant. Checked for what is written from here on; the next migration looks at what is there.
ALTER TABLE memberships ADD CONSTRAINT memberships_team_path_check CHECK (team_path ~ '^([0-9a-f]{12}\.)+$') NOT VALID;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_team_path_check CHECK (team_path ~ '^([0-9a-f]{12}\.)+$') NOT VALID;
ALTER TABLE companies ADD CONSTRAINT companies_team_path_check CHECK (team_path ~ '^([0-9a-f]{12}\.)+$') NOT VALID;
ALTER TABLE contacts ADD CONSTRAINT contacts_team_path_check CHECK (team_path ~ '^([0-9a-f]{12}\.)+$') NOT VALID;
ALTER TABLE leads ADD CONSTRAINT leads_team_path_check CHECK (team_path ~ '^([0-9a-f]{12}\.)+$') NOT VALID;
ALTER TABLE opportunities ADD CONSTRAINT opportunities_team_path_check CHECK (team_path ~ '^([0-9a-f]{12}\.)+$') NOT VALID;
ALTER TABLE activities ADD CONSTRAINT activities_team_path_check CHECK (team_path ~ '^([0-9a-f]{12}\.)+$') NOT VALID;
