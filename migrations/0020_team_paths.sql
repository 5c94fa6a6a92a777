-- Looks at the places in the tree of teams that are there. Reading and writing go on meanwhile.
ALTER TABLE memberships VALIDATE CONSTRAINT memberships_team_path_check;
ALTER TABLE api_keys VALIDATE CONSTRAINT api_keys_team_path_check;
ALTER TABLE companies VALIDATE CONSTRAINT companies_team_path_check;
ALTER TABLE contacts VALIDATE CONSTRAINT contacts_team_path_check;
ALTER TABLE leads VALIDATE CONSTRAINT leads_team_path_check;
ALTER TABLE opportunities VALIDATE CONSTRAINT opportunities_team_path_check;
ALTER TABLE activities VALIDATE CONSTRAINT activities_team_path_check;
