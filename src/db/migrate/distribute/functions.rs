//! Where each function of the policies runs on a cluster.
//!
//! What a statement on a shard calls has to be on the workers. What runs with its owner's rights and writes is more: Citus
//! opens another connection to a worker for another login, and that one neither sees nor may touch what the transaction
//! has written there (citusdata/citus#3867). So such a call is sent whole to the node that has the tenant, over the
//! caller's own connection, and changes its login only there.

/// Where a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Wherever a statement calls it: it is on every node.
    Everywhere,
    /// On the node that has the tenant of its argument of this name.
    WithTenant(&'static str),
    /// On the coordinator, and why that works.
    OnCoordinator(&'static str),
    /// Nowhere: what it does can't be done on a cluster, and why.
    Nowhere(&'static str),
}

/// A table whose shards say which node a tenant is on.
pub(super) const ANCHOR: &str = "public.tenant_seq";

/// The functions of `policies/`, by what `regprocedure` prints of them.
pub const FUNCTIONS: [(&str, Runs); 22] = [
    ("app.account()", Runs::Everywhere),
    ("app.acts_on(uuid)", Runs::Everywhere),
    ("app.author()", Runs::Everywhere),
    (
        "app.cards_after(uuid,text,uuid,uuid,integer)",
        Runs::Nowhere("servers of the version before call it; it does not name the tenant"),
    ),
    (
        "app.cards_after(uuid,uuid,text,uuid,uuid,integer)",
        Runs::WithTenant("of_tenant"),
    ),
    (
        "app.cards_before(uuid,text,uuid,uuid,integer)",
        Runs::Nowhere("servers of the version before call it; it does not name the tenant"),
    ),
    (
        "app.cards_before(uuid,uuid,text,uuid,uuid,integer)",
        Runs::WithTenant("of_tenant"),
    ),
    (
        "app.count_figures(integer,integer)",
        Runs::Nowhere(
            "it writes what it counts across tenants in one statement; the figures of the business are missing, \
             and the log says so once",
        ),
    ),
    ("app.deletes(text)", Runs::Everywhere),
    ("app.edits(text)", Runs::Everywhere),
    ("app.epoch(uuid)", Runs::Everywhere),
    (
        "app.keep_events(integer)",
        Runs::OnCoordinator(
            "it makes and drops partitions in a transaction of its own, and Citus carries that to the shards",
        ),
    ),
    ("app.me()", Runs::Everywhere),
    (
        "app.place_cards(uuid,uuid,uuid[],text[])",
        Runs::WithTenant("of_tenant"),
    ),
    (
        "app.place_cards(uuid,uuid[],text[])",
        Runs::Nowhere("servers of the version before call it; it does not name the tenant"),
    ),
    ("app.reaches_devices(uuid,text)", Runs::Everywhere),
    ("app.sees(text)", Runs::Everywhere),
    ("app.shows(text)", Runs::Everywhere),
    (
        "app.take_numbers(uuid,bigint,bigint,bytea,text[])",
        Runs::WithTenant("of_tenant"),
    ),
    ("app.tenant_for(text)", Runs::Everywhere),
    ("app.tenant_for_writers()", Runs::Everywhere),
    ("app.tenant_id()", Runs::Everywhere),
];
