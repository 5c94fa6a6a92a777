//! What must be true of every table, key, policy, function and grant, read from the catalogue. Each law is also shown to bite:
//! a change that breaks it turns it red.

use sqlx::{AssertSqlSafe, PgConnection, raw_sql};

use crate::harness::{Database, test};

/// A law: its name, what breaks it according to the catalogue, and a change that does.
struct Law {
    name: &'static str,
    offenders: &'static str,
    breach: &'static str,
}

/// Tables of tenants; `users` are identities across tenants and no tenant's login reaches them.
const TENANT_TABLE: &str = "c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('_sqlx_migrations', 'access_changes', 'business_figures', 'identities', 'one_time_tokens', 'recovery_codes', 'refresh_tokens', 'sessions', 'signing_keys', 'users')";

const LAWS: [Law; 18] = [
    Law {
        name: "row-level security is on and forced",
        offenders: "SELECT c.relname::text FROM pg_class c WHERE {tenant_table} AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
        breach: "ALTER TABLE leads NO FORCE ROW LEVEL SECURITY",
    },
    Law {
        name: "every command that is granted to the app has a restrictive policy on the tenant, or one that says it all",
        offenders: "SELECT c.relname || ' ' || g.privilege_type FROM pg_class c
                    JOIN (SELECT DISTINCT table_name, privilege_type FROM information_schema.column_privileges WHERE grantee = 'dealgraph_app'
                          UNION SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'dealgraph_app') g
                      ON g.table_name = c.relname AND g.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
                    WHERE {tenant_table} AND NOT EXISTS (
                        SELECT FROM pg_policies p WHERE p.tablename = c.relname AND 'dealgraph_app' = ANY (p.roles)
                          AND p.cmd IN (g.privilege_type, 'ALL')
                          AND (p.permissive = 'RESTRICTIVE' OR p.cmd = 'ALL' OR c.relname IN ('tenants', 'events'))
                          AND (g.privilege_type IN ('INSERT') OR p.qual LIKE '%tenant_id = app.tenant%')
                          AND (g.privilege_type IN ('SELECT', 'DELETE') OR p.with_check LIKE '%tenant_id = app.tenant%'))",
        breach: "DROP POLICY leads_update_tenant ON leads",
    },
    Law {
        name: "no policy of the app is open to all tenants",
        offenders: "SELECT p.policyname::text FROM pg_policies p
                    WHERE 'dealgraph_app' = ANY (p.roles) AND p.permissive = 'PERMISSIVE'
                      AND NOT EXISTS (SELECT FROM pg_policies r WHERE r.tablename = p.tablename AND r.permissive = 'RESTRICTIVE'
                                      AND r.cmd = p.cmd AND 'dealgraph_app' = ANY (r.roles))
                      AND coalesce(p.qual, p.with_check) NOT LIKE '%tenant_id = app.tenant%'",
        breach: "CREATE POLICY open ON tenants FOR SELECT TO dealgraph_app USING (true)",
    },
    Law {
        name: "no policy is for every login",
        offenders: "SELECT p.policyname::text FROM pg_policies p WHERE 'public' = ANY (p.roles)",
        breach: "CREATE POLICY every_login ON leads AS RESTRICTIVE USING (true)",
    },
    Law {
        name: "no policy looks into another table",
        offenders: "SELECT polname::text FROM pg_policy WHERE pg_get_expr(polqual, polrelid) ILIKE '%select%'
                       OR pg_get_expr(polwithcheck, polrelid) ILIKE '%select%'",
        breach: "CREATE POLICY curious ON leads AS RESTRICTIVE FOR SELECT TO dealgraph_app USING (EXISTS (SELECT FROM teams))",
    },
    Law {
        name: "every key and every index begins with the tenant",
        offenders: "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                    WHERE {tenant_table} AND a.attname IS DISTINCT FROM 'tenant_id'
                      -- The slug names a tenant, and a person's tenants are looked up at sign-in. Which tenants have jobs to do,
                      -- and which jobs and deliveries ended long ago, is asked for all at once.
                      AND i.indexrelid::regclass::text
                          NOT IN ('tenants_slug_key', 'memberships_user_idx', 'job_queues_due', 'jobs_ended',
                                  'webhook_deliveries_ended_idx')",
        breach: "CREATE UNIQUE INDEX leads_email_everywhere ON leads (email_normalized)",
    },
    Law {
        name: "a foreign key between tenant tables carries the tenant, and does nothing but refuse or cascade",
        offenders: "SELECT k.conname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                    JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[1]
                    WHERE k.contype = 'f' AND {tenant_table} AND k.confrelid <> 'users'::regclass
                      AND NOT (a.attname = 'tenant_id' AND r.attname = 'tenant_id'
                               AND k.confdeltype IN ('a', 'r', 'c') AND k.confupdtype IN ('a', 'r') AND k.condeferrable = false)",
        breach: "ALTER TABLE leads ADD UNIQUE (tenant_id, lead_id, status);
                 ALTER TABLE contacts ADD COLUMN lead_id uuid, ADD FOREIGN KEY (tenant_id, lead_id) REFERENCES leads ON DELETE SET NULL (lead_id)",
    },
    Law {
        name: "a foreign key can be checked by an index",
        offenders: "SELECT k.conname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                    WHERE k.contype = 'f' AND {tenant_table} AND NOT EXISTS (
                        SELECT FROM pg_index i WHERE i.indrelid = k.conrelid
                          AND (i.indkey::smallint[])[0:least(array_length(k.conkey, 1), 2) - 1] <@ k.conkey
                          AND k.conkey[1:2] <@ i.indkey::smallint[])
                      -- The owner of a next action is a member, and members are suspended, not deleted.
                      AND k.conname NOT IN ('opportunities_stage_fkey')",
        breach: "ALTER TABLE leads ADD COLUMN pipeline_id uuid, ADD FOREIGN KEY (tenant_id, pipeline_id) REFERENCES pipelines",
    },
    Law {
        name: "no trigger stands on a tenant table",
        offenders: "SELECT t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE {tenant_table} AND NOT t.tgisinternal",
        breach: "CREATE TRIGGER quiet BEFORE UPDATE ON leads FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    },
    Law {
        name: "no default takes a number from a sequence",
        offenders: "SELECT d.adrelid::regclass::text FROM pg_attrdef d WHERE pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval%'
                    UNION ALL SELECT attrelid::regclass::text FROM pg_attribute WHERE attidentity <> ''
                      AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)",
        breach: "ALTER TABLE leads ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
    },
    Law {
        name: "there is no view, unless it asks with the rights of who reads it",
        offenders: "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
                      AND (relkind = 'm' OR relkind = 'v' AND NOT coalesce(reloptions::text LIKE '%security_invoker=true%', false))",
        breach: "CREATE VIEW all_leads AS SELECT * FROM leads",
    },
    Law {
        name: "no function runs with its owner's rights, but for the one that makes and drops partitions and the one that counts figures, for the system, those \
               that arrange the cards of a column, within the tenant and the right to write deals, and the one that takes \
               numbers, within the tenant and the right to write at all",
        offenders: "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace IN ('public'::regnamespace, 'app'::regnamespace) AND p.prosecdef
                      AND NOT (p.proname IN ('keep_events', 'count_figures') AND NOT has_function_privilege('dealgraph_app', p.oid, 'EXECUTE'))
                      AND NOT (p.proname IN ('cards_before', 'cards_after', 'place_cards')
                               AND p.prosrc LIKE '%IF of_tenant = app.tenant_for(''opportunities:write'') THEN%t.tenant_id = of_tenant%'
                               AND p.proconfig @> ARRAY['search_path=pg_catalog, public, pg_temp'])
                      AND NOT (p.proname = 'take_numbers'
                               AND p.prosrc LIKE '%take_numbers.of_tenant = app.tenant_for_writers()%'
                               AND p.proconfig @> ARRAY['search_path=pg_catalog, public, pg_temp'])",
        breach: "CREATE FUNCTION app.everything() RETURNS SETOF leads LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM public.leads'",
    },
    Law {
        name: "no function of ours is open to every login",
        offenders: "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace IN ('public'::regnamespace, 'app'::regnamespace)
                      AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))",
        breach: "CREATE FUNCTION app.open() RETURNS int LANGUAGE sql RETURN 1",
    },
    Law {
        name: "the logins are plain: no superuser, no bypass, no inheritance, nothing owned, no other role",
        offenders: "SELECT r.rolname::text FROM pg_roles r WHERE r.rolname IN ('dealgraph_app', 'dealgraph_system')
                      AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolinherit
                           OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
                           OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid)
                           OR has_schema_privilege(r.oid, 'public', 'CREATE') OR has_schema_privilege(r.oid, 'app', 'CREATE'))",
        breach: "GRANT CREATE ON SCHEMA public TO dealgraph_app",
    },
    Law {
        name: "a partition is reached through its table alone",
        offenders: "SELECT c.relname || ' ' || g.privilege_type FROM pg_class c
                    JOIN information_schema.role_table_grants g ON g.table_name = c.relname
                    WHERE c.relispartition AND c.relkind = 'r' AND g.grantee IN ('dealgraph_app', 'dealgraph_system', 'PUBLIC')
                    UNION ALL SELECT p.polname::text FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relispartition",
        breach: "GRANT SELECT ON events_default TO dealgraph_system",
    },
    Law {
        name: "the app may not empty, watch, refer to, or move rows between tenants",
        offenders: "SELECT table_name || ' ' || privilege_type FROM information_schema.role_table_grants
                    WHERE grantee IN ('dealgraph_app', 'dealgraph_system', 'PUBLIC') AND table_schema = 'public'
                      AND privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')
                    UNION ALL SELECT table_name || '.' || column_name FROM information_schema.column_privileges
                    WHERE grantee = 'dealgraph_app' AND privilege_type = 'UPDATE'
                      AND (column_name = 'tenant_id' OR column_name IN ('created_at', 'created_by'))",
        breach: "GRANT UPDATE (tenant_id) ON leads TO dealgraph_app",
    },
    Law {
        name: "what lists compare and sort is compared by leakproof operators, byte by byte",
        offenders: "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
                    JOIN pg_attribute a ON a.attrelid = i.indexrelid
                    JOIN pg_amop o ON o.amopfamily = (SELECT opcfamily FROM pg_opclass WHERE oid = i.indclass[a.attnum - 1])
                    JOIN pg_operator op ON op.oid = o.amopopr AND op.oprleft = op.oprright
                    JOIN pg_proc f ON f.oid = op.oprcode
                    WHERE {tenant_table} AND NOT f.proleakproof AND NOT a.attname = 'tags'
                    UNION ALL SELECT i.indexrelid::regclass::text FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
                    JOIN pg_attribute a ON a.attrelid = i.indexrelid
                    WHERE {tenant_table} AND NOT i.indisunique AND a.attcollation NOT IN (0, 'pg_catalog.\"C\"'::regcollation)
                      AND a.attname NOT IN ('status', 'kind')",
        breach: "ALTER TABLE leads ADD COLUMN worth numeric; CREATE INDEX leads_worth_idx ON leads (tenant_id, worth)",
    },
    Law {
        name: "no table is without a policy file: what is not granted is unreachable, and this one is granted to nobody",
        offenders: "SELECT c.relname::text FROM pg_class c WHERE {tenant_table} AND NOT c.relispartition
                      AND NOT EXISTS (SELECT FROM pg_policies p WHERE p.tablename = c.relname AND 'dealgraph_owner' = ANY (p.roles))",
        breach: "CREATE TABLE forgotten (tenant_id uuid PRIMARY KEY)",
    },
];

#[test]
fn the_catalogue_keeps_every_law_and_every_law_bites() {
    test(async |_| {
        let database = Database::migrated().await;
        let mut superuser = database.superuser().await;
        for law in LAWS {
            assert_eq!(
                offenders(&law, &mut superuser).await,
                [""; 0],
                "{}",
                law.name
            );
            raw_sql("BEGIN").execute(&mut superuser).await.unwrap();
            raw_sql(law.breach)
                .execute(&mut superuser)
                .await
                .unwrap_or_else(|error| panic!("{}: {error}", law.name));
            assert_ne!(
                offenders(&law, &mut superuser).await,
                [""; 0],
                "nothing offends against: {}",
                law.name
            );
            raw_sql("ROLLBACK").execute(&mut superuser).await.unwrap();
        }
        drop(superuser);
        database.drop().await;
    });
}

async fn offenders(law: &Law, connection: &mut PgConnection) -> Vec<String> {
    let sql = law.offenders.replace("{tenant_table}", TENANT_TABLE);
    let found = sqlx::query_scalar(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_all(connection)
        .await;
    found.unwrap_or_else(|error| panic!("{}: {error}", law.name))
}
