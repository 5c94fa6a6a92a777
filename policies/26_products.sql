-- Products: all who may read deals see them; only an admin changes them.
CALL app.secure_shared_table('products', reads => 'opportunities:read', writes => 'admin');
CALL app.let_system_identify('products', id => 'product_id');
GRANT INSERT (
    tenant_id, product_id, name, name_normalized, code, code_normalized, unit_price_minor,
    unit_price_currency, active, description, archived_at, created_at, created_by, updated_at,
    updated_by, version
) ON products TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, code, code_normalized, unit_price_minor, unit_price_currency, active,
    description, archived_at, updated_at, updated_by, version
) ON products TO dealgraph_app;
