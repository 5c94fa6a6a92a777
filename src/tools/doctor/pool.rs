//! How the connections of a tenant stand to those of the pool.

use super::{Finding, Subject};

const CHECK: &str = "pool";
/// A tenant that has fewer than one in this many connections while others are at work leaves most of them resting.
const SMALLEST_PART: u32 = 8;

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let set = &subject.config.database;
    vec![judge(set.tenant_connections, set.pool_size)]
}

fn judge(tenant: u32, pool: u32) -> Finding {
    let found = format!("a tenant has {tenant} of {pool} connections while others are at work");
    if tenant >= pool && pool > 1 {
        let advice = "one tenant can keep all others waiting: let DEALGRAPH_TENANT_CONNECTIONS be less than DEALGRAPH_POOL_SIZE";
        return Finding::warning(CHECK, found, advice);
    }
    if tenant.saturating_mul(SMALLEST_PART) < pool {
        let advice = format!(
            "a large tenant waits while connections rest: DEALGRAPH_TENANT_CONNECTIONS={} fits this pool",
            pool / 4
        );
        return Finding::warning(CHECK, found, advice);
    }
    Finding::ok(CHECK, found)
}

#[cfg(test)]
mod tests {
    use super::{super::Level, *};

    #[test]
    fn a_tenant_has_neither_all_nor_next_to_nothing() {
        for (tenant, pool, level) in [
            (2, 16, Level::Ok),
            (4, 16, Level::Ok),
            (1, 1, Level::Ok),
            (16, 16, Level::Warning),
            (2, 64, Level::Warning),
        ] {
            assert_eq!(judge(tenant, pool).level, level, "{tenant} of {pool}");
        }
    }
}
