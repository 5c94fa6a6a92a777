//! Changing what members may do and where they stand, and all who must not.

use dealgraph::base::ids::{RoleId, TeamId, Typed as _};
use serde_json::json;

use super::{act, arrange, count, let_closers, refusal};
use crate::harness::{A, B, Who, test};

/// All that a sales manager may do, with the members of their team on top.
const LEADS_PEOPLE: [&str; 17] = [
    "companies:read:all",
    "companies:write:team",
    "companies:delete:team",
    "contacts:read:all",
    "contacts:write:team",
    "contacts:delete:team",
    "leads:read:team",
    "leads:write:team",
    "leads:delete:team",
    "opportunities:read:team",
    "opportunities:write:team",
    "opportunities:delete:team",
    "activities:read:team",
    "activities:write:team",
    "activities:delete:team",
    "users:read",
    "users:write",
];

#[test]
fn an_admin_changes_role_team_and_title_and_subscribers_are_notified() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), A.user(Who::Rep));
        let changes = format!(
            "SELECT count(*) FROM access_changes WHERE user_id = '{}'",
            rep.uuid()
        );
        let heard = count(world, &changes).await;
        let input = json!({ "userId": rep, "role": "MANAGER", "teamId": A.id::<TeamId>(3), "title": " Lead ", "expectedVersion": 1 });
        let fields =
            "membership { role team { id } title version moving can { update suspend remove } }";
        let answer = act(&admin, "membershipUpdate", input.clone(), fields)
            .await
            .data();
        assert_eq!(
            answer["membershipUpdate"],
            json!({ "membership": { "role": "MANAGER", "team": { "id": A.id::<TeamId>(3) }, "title": "Lead", "version": 2, "moving": false,
                "can": { "update": true, "suspend": true, "remove": true } }, "userErrors": [] })
        );
        let events = "SELECT count(*) FROM events WHERE entity = 'member' AND version = 2 AND before->>'role' = 'SALES_REP' AND record->>'role' = 'MANAGER'";
        assert_eq!(count(world, events).await, 1);
        assert_eq!(
            count(world, &changes).await,
            heard + 1,
            "all servers hear of it"
        );

        let late = act(&admin, "membershipUpdate", input, "membership { version }").await;
        assert_eq!(late.user_error("membershipUpdate").0, "CONFLICT");
        assert_eq!(late.data()["membershipUpdate"]["membership"]["version"], 2);
        let none = json!({ "userId": rep, "teamId": null });
        let out = act(
            &admin,
            "membershipUpdate",
            none,
            "membership { team { id } title }",
        )
        .await;
        assert_eq!(
            out.data()["membershipUpdate"]["membership"],
            json!({ "team": null, "title": "Lead" })
        );
        let custom = json!({ "userId": rep, "role": "CUSTOM", "customRoleId": A.id::<RoleId>(1) });
        let made = act(
            &admin,
            "membershipUpdate",
            custom,
            "membership { role customRole { id } }",
        )
        .await;
        assert_eq!(
            made.data()["membershipUpdate"]["membership"]["customRole"]["id"],
            json!(A.id::<RoleId>(1))
        );
        for wrong in [
            json!({ "userId": rep, "role": "VIEWER", "customRoleId": A.id::<RoleId>(1) }),
            json!({ "userId": A.user(Who::OtherRep), "role": "CUSTOM" }),
        ] {
            assert_eq!(
                refusal(&admin, "membershipUpdate", wrong).await,
                "INVALID_ROLE"
            );
        }
    });
}

#[test]
fn who_may_not_change_members_changes_none_whatever_they_send() {
    test(async |world| {
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Closer,
            Who::Auditor,
        ] {
            let (client, me, other) = (world.a(who), A.user(who), A.user(Who::OtherRep));
            for (mutation, input) in [
                ("membershipUpdate", json!({ "userId": me, "role": "ADMIN" })),
                (
                    "membershipUpdate",
                    json!({ "userId": me, "teamId": A.id::<TeamId>(3) }),
                ),
                (
                    "membershipUpdate",
                    json!({ "userId": other, "role": "VIEWER" }),
                ),
                ("membershipSuspend", json!({ "userId": other })),
                (
                    "membershipResume",
                    json!({ "userId": A.user(Who::Suspended) }),
                ),
                (
                    "membershipRemove",
                    json!({ "userId": other, "successorId": me }),
                ),
                (
                    "memberInvite",
                    json!({ "email": "friend@example.com", "role": "VIEWER" }),
                ),
                ("teamCreate", json!({ "name": "Mine" })),
                (
                    "teamUpdate",
                    json!({ "id": A.id::<TeamId>(3), "parentId": A.id::<TeamId>(1) }),
                ),
            ] {
                let code = refusal(&client, mutation, input.clone()).await;
                assert_eq!(code, "FORBIDDEN", "{who:?} {mutation} {input}");
            }
        }
        let changed = "SELECT (SELECT count(*) FROM memberships WHERE version > 1) + (SELECT count(*) FROM teams WHERE version > 1)
                        + (SELECT count(*) - 2 FROM invitations)";
        assert_eq!(count(world, changed).await, 0);
    });
}

#[test]
fn with_users_write_nobody_gives_or_takes_more_than_they_have() {
    test(async |world| {
        let_closers(world, &LEADS_PEOPLE).await;
        let (closer, me) = (world.a(Who::Closer), A.user(Who::Closer));
        let (west, north, east) = (A.id::<TeamId>(1), A.id::<TeamId>(2), A.id::<TeamId>(3));
        let (rep, other) = (A.user(Who::Rep), A.user(Who::OtherRep));
        for (mutation, input) in [
            // Upwards, for oneself and for a friend.
            ("membershipUpdate", json!({ "userId": me, "role": "ADMIN" })),
            (
                "membershipUpdate",
                json!({ "userId": me, "role": "ANALYST" }),
            ),
            (
                "membershipUpdate",
                json!({ "userId": rep, "role": "ADMIN" }),
            ),
            (
                "membershipUpdate",
                json!({ "userId": rep, "role": "CUSTOM", "customRoleId": A.id::<RoleId>(2) }),
            ),
            (
                "memberInvite",
                json!({ "email": "friend@example.com", "role": "ADMIN" }),
            ),
            (
                "memberInvite",
                json!({ "email": "friend@example.com", "role": "ANALYST" }),
            ),
            // Those who may more.
            (
                "membershipUpdate",
                json!({ "userId": A.user(Who::Admin), "role": "VIEWER" }),
            ),
            (
                "membershipUpdate",
                json!({ "userId": A.user(Who::Admin), "title": "Intern" }),
            ),
            ("membershipSuspend", json!({ "userId": A.user(Who::Admin) })),
            (
                "membershipRemove",
                json!({ "userId": A.user(Who::Admin), "successorId": me }),
            ),
            (
                "membershipSuspend",
                json!({ "userId": A.user(Who::Analyst) }),
            ),
            // Rows of teams beyond the own.
            ("membershipUpdate", json!({ "userId": me, "teamId": null })),
            ("membershipUpdate", json!({ "userId": me, "teamId": east })),
            (
                "membershipUpdate",
                json!({ "userId": other, "teamId": west }),
            ),
            ("membershipUpdate", json!({ "userId": rep, "teamId": east })),
            (
                "membershipRemove",
                json!({ "userId": other, "successorId": me }),
            ),
            (
                "membershipRemove",
                json!({ "userId": rep, "successorId": other }),
            ),
            (
                "memberInvite",
                json!({ "email": "friend@example.com", "role": "SALES_REP", "teamId": east }),
            ),
            ("teamUpdate", json!({ "id": east, "parentId": west })),
            ("teamUpdate", json!({ "id": north, "parentId": null })),
            ("teamCreate", json!({ "name": "Spy", "parentId": east })),
            ("teamDelete", json!({ "id": east })),
        ] {
            let code = refusal(&closer, mutation, input.clone()).await;
            assert_eq!(code, "FORBIDDEN", "{mutation} {input}");
        }
        let changed = "SELECT (SELECT count(*) FROM memberships WHERE version > 1) + (SELECT count(*) FROM teams WHERE version > 1)
                        + (SELECT count(*) - 2 FROM invitations)";
        assert_eq!(count(world, changed).await, 0);
        // What is theirs to do they do.
        for (mutation, input) in [
            ("membershipUpdate", json!({ "userId": rep, "teamId": west })),
            ("membershipSuspend", json!({ "userId": rep })),
            ("membershipResume", json!({ "userId": rep })),
            ("teamCreate", json!({ "name": "South", "parentId": west })),
        ] {
            assert_eq!(
                refusal(&closer, mutation, input.clone()).await,
                "",
                "{mutation} {input}"
            );
        }
    });
}

#[test]
fn what_is_not_in_an_input_cannot_be_assigned_through_it() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for (mutation, extra) in [
            ("membershipUpdate", json!({ "tenantId": B.tenant() })),
            ("membershipUpdate", json!({ "status": "ACTIVE" })),
            ("membershipUpdate", json!({ "teamPath": "000000000000." })),
            ("membershipUpdate", json!({ "moving": false })),
            (
                "memberInvite",
                json!({ "email": "x@example.com", "role": "VIEWER", "tenantId": B.tenant() }),
            ),
            (
                "memberInvite",
                json!({ "email": "x@example.com", "role": "VIEWER", "acceptedAt": "2026-01-01T00:00:00Z" }),
            ),
            (
                "teamCreate",
                json!({ "name": "x", "path": "000000000000." }),
            ),
            ("tenantUpdate", json!({ "status": "ACTIVE" })),
            ("tenantUpdate", json!({ "quotaMembers": 9 })),
            ("tenantUpdate", json!({ "slug": "mine" })),
        ] {
            let mut input = extra.clone();
            if mutation == "membershipUpdate" {
                input["userId"] = json!(A.user(Who::Rep));
            }
            let answer = act(&admin, mutation, input, "").await;
            assert!(
                answer.body.get("errors").is_some(),
                "{mutation} {extra}: {}",
                answer.body
            );
        }
    });
}

#[test]
fn another_tenants_people_teams_and_roles_are_not_found_and_nothing_changes() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), A.user(Who::Rep));
        let theirs = B.user(Who::Rep);
        for (mutation, input, field) in [
            (
                "membershipUpdate",
                json!({ "userId": theirs, "role": "VIEWER" }),
                "input.userId",
            ),
            (
                "membershipUpdate",
                json!({ "userId": rep, "teamId": B.id::<TeamId>(1) }),
                "input.teamId",
            ),
            (
                "membershipUpdate",
                json!({ "userId": rep, "role": "CUSTOM", "customRoleId": B.id::<RoleId>(1) }),
                "input.customRoleId",
            ),
            (
                "membershipSuspend",
                json!({ "userId": theirs }),
                "input.userId",
            ),
            (
                "membershipResume",
                json!({ "userId": theirs }),
                "input.userId",
            ),
            (
                "membershipRemove",
                json!({ "userId": theirs, "successorId": rep }),
                "input.userId",
            ),
            (
                "membershipRemove",
                json!({ "userId": rep, "successorId": theirs }),
                "input.successorId",
            ),
            (
                "memberInvite",
                json!({ "email": "x@example.com", "role": "VIEWER", "teamId": B.id::<TeamId>(1) }),
                "input.teamId",
            ),
            (
                "memberInvite",
                json!({ "email": "x@example.com", "role": "CUSTOM", "customRoleId": B.id::<RoleId>(1) }),
                "input.customRoleId",
            ),
            (
                "teamCreate",
                json!({ "name": "x", "parentId": B.id::<TeamId>(1) }),
                "input.parentId",
            ),
            (
                "teamUpdate",
                json!({ "id": A.id::<TeamId>(3), "parentId": B.id::<TeamId>(1) }),
                "input.parentId",
            ),
            (
                "teamUpdate",
                json!({ "id": B.id::<TeamId>(3), "name": "x" }),
                "input.id",
            ),
            ("teamDelete", json!({ "id": B.id::<TeamId>(3) }), "input.id"),
        ] {
            let answer = act(&admin, mutation, input.clone(), "").await;
            let expected = ("NOT_FOUND".to_owned(), field.to_owned());
            assert_eq!(answer.user_error(mutation), expected, "{mutation} {input}");
        }
        let changed = "SELECT (SELECT count(*) FROM memberships WHERE version > 1) + (SELECT count(*) FROM teams WHERE version > 1)
                        + (SELECT count(*) - 2 FROM invitations) + (SELECT count(*) - 6 FROM teams)";
        assert_eq!(count(world, changed).await, 0);
    });
}

#[test]
fn the_last_admin_can_neither_be_demoted_nor_suspended_nor_removed() {
    test(async |world| {
        let (admin, me) = (world.a(Who::Admin), A.user(Who::Admin));
        for (mutation, input) in [
            (
                "membershipUpdate",
                json!({ "userId": me, "role": "MANAGER" }),
            ),
            (
                "membershipRemove",
                json!({ "userId": me, "successorId": A.user(Who::Rep) }),
            ),
        ] {
            assert_eq!(
                refusal(&admin, mutation, input).await,
                "LAST_ADMIN",
                "{mutation}"
            );
        }
        let suspended = json!({ "userId": me });
        assert_eq!(
            refusal(&admin, "membershipSuspend", suspended).await,
            "SELF"
        );
        // Another admin who is kept out does not count.
        let other = A.user(Who::Viewer).uuid();
        let tenant = A.tenant().uuid();
        arrange(world, &format!("UPDATE memberships SET role = 'ADMIN', status = 'SUSPENDED' WHERE tenant_id = '{tenant}' AND user_id = '{other}'")).await;
        let demoted = json!({ "userId": me, "role": "MANAGER" });
        assert_eq!(
            refusal(&admin, "membershipUpdate", demoted.clone()).await,
            "LAST_ADMIN"
        );
        arrange(world, &format!("UPDATE memberships SET status = 'ACTIVE' WHERE tenant_id = '{tenant}' AND user_id = '{other}'")).await;
        assert_eq!(refusal(&admin, "membershipUpdate", demoted).await, "");
    });
}

#[test]
fn two_admins_who_demote_each_other_at_once_leave_one() {
    test(async |world| {
        let (tenant, other) = (A.tenant().uuid(), A.user(Who::Viewer).uuid());
        arrange(world, &format!("UPDATE memberships SET role = 'ADMIN' WHERE tenant_id = '{tenant}' AND user_id = '{other}'")).await;
        let (first, second) = (world.a(Who::Admin), world.a(Who::Viewer));
        for _ in 0..8 {
            let demote = |who| json!({ "userId": A.user(who), "role": "VIEWER" });
            let (one, two) = tokio::join!(
                act(&first, "membershipUpdate", demote(Who::Viewer), ""),
                act(&second, "membershipUpdate", demote(Who::Admin), ""),
            );
            let admins = format!(
                "SELECT count(*) FROM memberships WHERE tenant_id = '{tenant}' AND role = 'ADMIN' AND status = 'ACTIVE'"
            );
            assert_eq!(count(world, &admins).await, 1, "{} {}", one.body, two.body);
            arrange(world, &format!("UPDATE memberships SET role = 'ADMIN' WHERE tenant_id = '{tenant}' AND user_id IN ('{other}', '{}')", A.user(Who::Admin).uuid())).await;
        }
    });
}

#[test]
fn a_suspended_member_is_out_and_comes_back() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), world.a(Who::Rep));
        let them = json!({ "userId": A.user(Who::Rep), "reason": "on leave" });
        let fields = "membership { status }";
        let kept = act(&admin, "membershipSuspend", them, fields).await.data();
        assert_eq!(
            kept["membershipSuspend"]["membership"]["status"],
            "SUSPENDED"
        );
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        assert_eq!(rep.send("{ viewer { id } }", json!({})).await.status, 401);
        let them = json!({ "userId": A.user(Who::Rep) });
        let back = act(&admin, "membershipResume", them, fields).await.data();
        assert_eq!(back["membershipResume"]["membership"]["status"], "ACTIVE");
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        rep.query("{ viewer { id } }").await;
        let events = "SELECT count(*) FROM events WHERE entity = 'member' AND kind IN ('SUSPENDED', 'RESUMED')";
        assert_eq!(count(world, events).await, 2);
        let why = "SELECT count(*) FROM audit_log WHERE action LIKE 'member.%' AND changes LIKE '%on leave%'";
        assert_eq!(count(world, why).await, 1);
    });
}
