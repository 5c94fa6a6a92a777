-- A database of its own and the three logins, with passwords from OWNER_PASSWORD, APP_PASSWORD and SYSTEM_PASSWORD. Run it
-- once on a new cluster by psql, as a superuser. `migrate` would make the two logins of the server by itself, but
-- without passwords.
\set ON_ERROR_STOP on
\getenv owner OWNER_PASSWORD
\getenv app APP_PASSWORD
\getenv system SYSTEM_PASSWORD

CREATE ROLE dealgraph_owner LOGIN CREATEROLE PASSWORD :'owner';
CREATE DATABASE dealgraph OWNER dealgraph_owner;
-- Nobody has business in the other databases of a cluster of its own; on one that is shared, leave this line out.
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;

\connect dealgraph
\ir large_objects.sql
-- By the owner, who may change settings only of roles that it made.
SET ROLE dealgraph_owner;
CREATE ROLE dealgraph_app LOGIN NOINHERIT PASSWORD :'app';
CREATE ROLE dealgraph_system LOGIN NOINHERIT PASSWORD :'system';
