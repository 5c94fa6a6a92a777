-- Products: everybody who may read deals sees them; only an admin changes them.
ALTER TABLE products ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON products FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON products TO dealgraph_app;
GRANT INSERT (
    tenant_id, product_id, name, name_normalized, code, code_normalized, unit_price_minor,
    unit_price_currency, active, description, archived_at, created_at, created_by, updated_at,
    updated_by, version
) ON products TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, code, code_normalized, unit_price_minor, unit_price_currency, active,
    description, archived_at, updated_at, updated_by, version
) ON products TO dealgraph_app;

DROP POLICY IF EXISTS products_read_tenant ON products;
CREATE POLICY products_read_tenant ON products AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:read'));
DROP POLICY IF EXISTS products_read_scope ON products;
CREATE POLICY products_read_scope ON products FOR SELECT TO dealgraph_app
    USING (true);
DROP POLICY IF EXISTS products_insert_tenant ON products;
CREATE POLICY products_insert_tenant ON products AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS products_insert_scope ON products;
CREATE POLICY products_insert_scope ON products FOR INSERT TO dealgraph_app
    WITH CHECK (true);
DROP POLICY IF EXISTS products_update_tenant ON products;
CREATE POLICY products_update_tenant ON products AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'))
    WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS products_update_scope ON products;
CREATE POLICY products_update_scope ON products FOR UPDATE TO dealgraph_app
    USING (true)
    WITH CHECK (true);
DROP POLICY IF EXISTS products_delete_tenant ON products;
CREATE POLICY products_delete_tenant ON products AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS products_delete_scope ON products;
CREATE POLICY products_delete_scope ON products FOR DELETE TO dealgraph_app
    USING (true);
DROP POLICY IF EXISTS products_owner ON products;
CREATE POLICY products_owner ON products TO dealgraph_owner USING (true) WITH CHECK (true);

-- Whether an id that somebody was told is none belongs to another tenant is asked afterwards, for both tenants' audit
-- logs. For that the system reads whose an id is, and no other column.
GRANT SELECT (tenant_id, product_id) ON products TO dealgraph_system;
DROP POLICY IF EXISTS products_system ON products;
CREATE POLICY products_system ON products FOR SELECT TO dealgraph_system USING (true);
