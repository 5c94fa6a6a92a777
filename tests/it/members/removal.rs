//! Taking members out: their records pass to a successor, whole and once, also when a server dies meanwhile.

use std::time::Duration;

use dealgraph::{
    base::ids::{LeadId, Typed as _},
    crm,
    db::journal::Origin,
    organization::members::{self, reassignment},
};
use serde_json::{Value, json};

use super::{act, arrange, count, refusal};
use crate::harness::{A, Who, World, test};

/// Records of each kind that the rep owns, beside the one of the world.
const MANY: u32 = 120;

/// Gives the rep of A many records of every kind, with all that hangs on them.
async fn give_rep_many(world: &World) {
    let (tenant, rep, number) = (A.tenant().uuid(), A.user(Who::Rep).uuid(), MANY);
    let copy = |table: &str, id: &str, others: &str| {
        format!(
            "CREATE TEMP TABLE few ON COMMIT DROP AS SELECT * FROM {table} WHERE tenant_id = '{tenant}' AND owner_id = '{rep}' LIMIT 1;
             DO $$ DECLARE columns text; BEGIN
                SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
                WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attname <> '{id}' {others};
                EXECUTE format('INSERT INTO {table} ({id}, %s) SELECT gen_random_uuid(), %s FROM few, generate_series(1, {number})', columns, columns);
             END $$; DROP TABLE few;"
        )
    };
    let sql = [
        copy("companies", "company_id", ""),
        copy("contacts", "contact_id", ""),
        copy("leads", "lead_id", ""),
        copy("opportunities", "opportunity_id", ""),
        copy("activities", "activity_id", "AND attname <> 'targets_visible_to'"),
        format!("INSERT INTO contact_methods (tenant_id, contact_method_id, contact_id, kind, value, value_normalized, position, preferred, visible_to)
             SELECT tenant_id, gen_random_uuid(), contact_id, 'EMAIL', 'x@example.com', 'x@example.com', 9, false, visible_to
             FROM contacts WHERE tenant_id = '{tenant}' AND owner_id = '{rep}';
         INSERT INTO opportunity_users (tenant_id, opportunity_id, user_id, role, visible_to, created_at)
             SELECT tenant_id, opportunity_id, '{rep}', 'Engineer', visible_to, now() FROM opportunities
             WHERE tenant_id = '{tenant}' AND owner_id IS DISTINCT FROM '{rep}' ON CONFLICT DO NOTHING;
         UPDATE opportunities o SET shared_with = (SELECT string_agg('u:' || u.user_id || '|', '') FROM opportunity_users u
             WHERE u.tenant_id = o.tenant_id AND u.opportunity_id = o.opportunity_id)
             WHERE tenant_id = '{tenant}' AND owner_id IS DISTINCT FROM '{rep}';
         UPDATE opportunities SET next_action_owner_id = '{rep}', next_action_at = now(), next_action_kind = 'CALL'
             WHERE tenant_id = '{tenant}' AND status = 'OPEN';
         INSERT INTO activity_targets (tenant_id, activity_id, opportunity_id, occurred_at, target_visible_to, visible_to)
             SELECT a.tenant_id, a.activity_id, o.opportunity_id, a.occurred_at, substr(o.visible_to, 2), a.visible_to
             FROM activities a JOIN LATERAL (SELECT * FROM opportunities o WHERE o.tenant_id = a.tenant_id AND o.owner_id = '{rep}' LIMIT 1) o ON true
             WHERE a.tenant_id = '{tenant}' AND a.owner_id = '{rep}' ON CONFLICT DO NOTHING;
         UPDATE activities a SET targets_visible_to = (SELECT string_agg(target_visible_to, '' ORDER BY target_id) FROM activity_targets l
             WHERE l.tenant_id = a.tenant_id AND l.activity_id = a.activity_id)
             WHERE tenant_id = '{tenant}' AND EXISTS (SELECT FROM activity_targets l WHERE l.tenant_id = a.tenant_id AND l.activity_id = a.activity_id);
         UPDATE leads SET status = 'CONVERTED' WHERE tenant_id = '{tenant}' AND lead_id IN (SELECT lead_id FROM leads
             WHERE tenant_id = '{tenant}' AND owner_id = '{rep}' ORDER BY lead_id DESC LIMIT 20);"),
    ];
    arrange(world, &format!("BEGIN; {} COMMIT;", sql.join("\n"))).await;
}

/// Whatever still names a person, and whatever does not stand where its owner does, or is not seen by who sees what it
/// belongs to.
async fn left_behind(world: &World, who: Who) -> Vec<String> {
    let (tenant, user) = (A.tenant().uuid(), A.user(who).uuid());
    let mut sql = Vec::new();
    for table in [
        "companies",
        "contacts",
        "leads",
        "opportunities",
        "activities",
    ] {
        sql.push(format!("SELECT '{table} of them', count(*) FROM {table} WHERE tenant_id = '{tenant}' AND visible_to LIKE '%{user}%'"));
        sql.push(format!("SELECT '{table} misplaced', count(*) FROM {table} r JOIN memberships m ON m.tenant_id = r.tenant_id AND m.user_id = r.owner_id
            WHERE r.tenant_id = '{tenant}' AND r.team_path IS DISTINCT FROM m.team_path"));
    }
    for (child, parent, id) in [
        ("contact_methods", "contacts", "contact_id"),
        ("opportunity_contacts", "opportunities", "opportunity_id"),
        ("opportunity_users", "opportunities", "opportunity_id"),
        (
            "opportunity_stage_history",
            "opportunities",
            "opportunity_id",
        ),
        ("activity_targets", "activities", "activity_id"),
    ] {
        sql.push(format!("SELECT '{child} unlike {parent}', count(*) FROM {child} c JOIN {parent} p ON p.tenant_id = c.tenant_id AND p.{id} = c.{id}
            WHERE c.tenant_id = '{tenant}' AND c.visible_to <> p.visible_to"));
    }
    sql.push(format!("SELECT 'next actions', count(*) FROM opportunities WHERE tenant_id = '{tenant}' AND next_action_owner_id = '{user}'"));
    sql.push(format!("SELECT 'collaborators', count(*) FROM opportunity_users WHERE tenant_id = '{tenant}' AND user_id = '{user}'"));
    sql.push(format!("SELECT 'membership', count(*) FROM memberships WHERE tenant_id = '{tenant}' AND user_id = '{user}'"));
    let mut superuser = world.database.superuser().await;
    let all: Vec<(String, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(sql.join(" UNION ALL ")))
        .fetch_all(&mut superuser)
        .await
        .expect("the question fits");
    all.into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{what}: {count}"))
        .collect()
}

/// Waits until a person's membership has ended.
async fn gone(world: &World, who: Who) {
    let member = format!(
        "SELECT count(*) FROM memberships WHERE tenant_id = '{}' AND user_id = '{}'",
        A.tenant().uuid(),
        A.user(who).uuid()
    );
    for _ in 0..300 {
        if count(world, &member).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!(
        "{who:?} is still there: {:?}",
        left_behind(world, who).await
    );
}

/// How many records of each kind a member owns.
async fn owned(world: &World, who: Who) -> i64 {
    let (tenant, user) = (A.tenant().uuid(), A.user(who).uuid());
    let tables = [
        "companies",
        "contacts",
        "leads",
        "opportunities",
        "activities",
    ];
    let arms = tables.map(|table| {
        format!(
            "(SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}' AND owner_id = '{user}')"
        )
    });
    count(world, &format!("SELECT {}", arms.join(" + "))).await
}

#[test]
fn who_is_removed_is_out_at_once_and_all_they_had_passes_to_the_successor() {
    test(async |world| {
        give_rep_many(world).await;
        let both = owned(world, Who::Rep).await + owned(world, Who::OtherRep).await;
        assert!(both > 5 * i64::from(MANY));
        let (admin, rep, heir) = (world.a(Who::Admin), A.user(Who::Rep), A.user(Who::OtherRep));
        let lead = json!({ "id": A.id::<LeadId>(1) });
        let seen = "query($id: ID!) { lead(id: $id) { owner { id } } }";
        assert_eq!(
            world.a(Who::OtherRep).query_with(seen, lead.clone()).await["lead"],
            Value::Null
        );

        let input = json!({ "userId": rep, "successorId": heir, "expectedVersion": 1 });
        let fields = "removedUserId membership { status moving recordsToMove successor { id } }";
        let answer = act(&admin, "membershipRemove", input, fields).await.data();
        let payload = &answer["membershipRemove"];
        assert_eq!(
            (&payload["removedUserId"], &payload["userErrors"]),
            (&json!(rep), &json!([]))
        );
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        assert_eq!(
            world
                .a(Who::Rep)
                .send("{ viewer { id } }", json!({}))
                .await
                .status,
            401
        );
        gone(world, Who::Rep).await;
        assert_eq!(left_behind(world, Who::Rep).await, [""; 0]);
        assert_eq!(owned(world, Who::OtherRep).await, both);
        let read = world.a(Who::OtherRep).query_with(seen, lead).await;
        assert_eq!(read["lead"]["owner"]["id"], json!(heir));
        let by = format!(
            "SELECT count(*) FROM audit_log WHERE tenant_id = '{}' AND actor = 'system:placement'",
            A.tenant().uuid()
        );
        assert!(
            count(world, &by).await > 5 * i64::from(MANY),
            "every change is logged"
        );
        let gone = "SELECT count(*) FROM events WHERE entity = 'member' AND kind = 'DELETED'";
        assert_eq!(count(world, gone).await, 1);
    });
}

#[test]
fn a_removal_that_a_dying_server_left_is_finished_by_another() {
    test(async |world| {
        give_rep_many(world).await;
        // The first transaction, and nothing after it.
        let (admin, rep) = (A.actor(Who::Admin), A.user(Who::Rep));
        let origin = Origin::process("removal");
        let removed = world.db.write(&admin, &origin, async |tx| {
            members::remove(tx, (rep, None), A.user(Who::Manager)).await
        });
        removed.await.expect("the admin may");
        // Some of the rest, cut off in the middle.
        let work = reassignment::reassign_records(
            &world.db,
            &crm::OWNED,
            A.tenant(),
            rep,
            tokio::time::Instant::now() + reassignment::REQUEST_TIME,
        );
        _ = tokio::time::timeout(Duration::from_millis(80), work).await;
        let heir = format!(
            "SELECT count(*) FROM companies WHERE tenant_id = '{}' AND owner_id = '{}'",
            A.tenant().uuid(),
            rep.uuid()
        );
        assert!(
            count(world, &heir).await > 0,
            "it was cut off before the end"
        );
        gone(world, Who::Rep).await;
        assert_eq!(left_behind(world, Who::Rep).await, [""; 0]);
    });
}

#[test]
fn two_servers_at_the_same_removal_do_each_other_no_harm() {
    test(async |world| {
        give_rep_many(world).await;
        let (admin, rep) = (A.actor(Who::Admin), A.user(Who::Rep));
        let origin = Origin::process("removal");
        let all = owned(world, Who::Rep).await;
        let removed = world.db.write(&admin, &origin, async |tx| {
            members::remove(tx, (rep, None), A.user(Who::Manager)).await
        });
        removed.await.expect("the admin may");
        let until = tokio::time::Instant::now() + Duration::from_secs(20);
        let at_once = (0..4).map(|_| {
            reassignment::reassign_records(&world.db, &crm::OWNED, A.tenant(), rep, until)
        });
        for outcome in futures_util::future::join_all(at_once).await {
            outcome.expect("nobody fails");
        }
        gone(world, Who::Rep).await;
        let events = format!(
            "SELECT count(*) FROM events WHERE tenant_id = '{}' AND entity IN ('company', 'contact', 'lead', 'activity') AND actor = 'system:placement' AND changed <> '{{}}'",
            A.tenant().uuid()
        );
        let without_deals = format!(
            "SELECT count(*) FROM opportunities WHERE tenant_id = '{}' AND owner_id = '{}'",
            A.tenant().uuid(),
            A.user(Who::Manager).uuid()
        );
        assert!(
            count(world, &events).await <= all,
            "nothing is logged twice"
        );
        assert!(count(world, &without_deals).await > i64::from(MANY));
    });
}

#[test]
fn a_successor_is_another_member_who_can_sign_in() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), A.user(Who::Rep));
        for successor in [rep, A.user(Who::Suspended)] {
            let input = json!({ "userId": rep, "successorId": successor });
            assert_eq!(
                refusal(&admin, "membershipRemove", input).await,
                "INVALID_SUCCESSOR"
            );
        }
        // Who is to take over goes too: what was on its way to them goes on.
        let admin_actor = A.actor(Who::Admin);
        let origin = Origin::process("removal");
        let first = world.db.write(&admin_actor, &origin, async |tx| {
            members::remove(tx, (rep, None), A.user(Who::OtherRep)).await?;
            members::remove(tx, (A.user(Who::OtherRep), None), A.user(Who::Manager)).await
        });
        first.await.expect("the admin may");
        gone(world, Who::Rep).await;
        gone(world, Who::OtherRep).await;
        let lead = json!({ "id": A.id::<LeadId>(1) });
        let read = admin
            .query_with("query($id: ID!) { lead(id: $id) { owner { id } } }", lead)
            .await;
        assert_eq!(read["lead"]["owner"]["id"], json!(A.user(Who::Manager)));
    });
}
