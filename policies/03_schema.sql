-- What the database is at, which every server asks when it starts and whenever it is asked whether it is ready.
REVOKE ALL ON app.schema_state, app.schema_version FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON app.schema_version TO dealgraph_app, dealgraph_system;
