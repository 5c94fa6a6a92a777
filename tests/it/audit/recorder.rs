//! What no transaction records by itself is written off the path of the answer, and a flood of it fills nothing.

use std::net::{IpAddr, Ipv4Addr};

use dealgraph::db::journal::{Entry, Origin, Recorder, Whom};

use super::entries;
use crate::harness::{A, B, Who, test};

fn origin(last: u8) -> Origin {
    Origin {
        address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))),
        ..Origin::process("r")
    }
}

#[test]
fn a_note_about_a_person_is_written_in_each_of_their_tenants_and_nowhere_else() {
    test(async |world| {
        let (recorder, recording) = Recorder::start(world.db.clone());
        let entry =
            |reason: &str| Entry::new("anonymous", "session.refused").noting("reason", reason);
        recorder.note(Whom::TenantsOf(A.user(Who::Both)), entry("both"), origin(1));
        recorder.note(Whom::TenantsOf(A.user(Who::Rep)), entry("a"), origin(1));
        recorder.note(
            Whom::TenantsOf(A.user(Who::Suspended)),
            entry("none"),
            origin(2),
        );
        recorder.flush().await;
        let reasons = async |client| -> Vec<String> {
            let found = entries(&client, "action: { eq: \"session.refused\" }").await;
            let reason = |entry: &serde_json::Value| entry["changes"][0]["after"].to_string();
            found.iter().map(reason).collect()
        };
        assert_eq!(reasons(world.a(Who::Admin)).await, ["\"a\"", "\"both\""]);
        assert_eq!(reasons(world.b(Who::Admin)).await, ["\"both\""]);
        recording.finish().await;
    });
}

#[test]
fn a_flood_is_a_few_entries_and_a_count() {
    test(async |world| {
        let (recorder, recording) = Recorder::start(world.db.clone());
        let tenant = Whom::Tenant(A.tenant());
        for attempt in 0..2_000_u32 {
            let from = origin((attempt % 2) as u8);
            recorder.note(tenant, Entry::new("anonymous", "session.refused"), from);
        }
        let elsewhere = Entry::new("anonymous", "session.refused");
        recorder.note(Whom::Tenant(B.tenant()), elsewhere, origin(0));
        recorder.flush().await;
        let admin = world.a(Who::Admin);
        let filter = "action: { eq: \"session.refused\" }";
        assert_eq!(entries(&admin, filter).await.len(), 2, "one per address");
        recording.finish().await;
        let recorded = entries(&admin, filter).await;
        let counts: Vec<_> = recorded
            .iter()
            .filter_map(|entry| entry["changes"][0]["after"].as_i64())
            .collect();
        assert_eq!(counts, [999, 999], "{recorded:?}");
        assert_eq!(entries(&world.b(Who::Admin), filter).await.len(), 1);
        // After the end a note is lost and nothing breaks.
        recorder.note(
            tenant,
            Entry::new("anonymous", "session.refused"),
            origin(9),
        );
        recorder.flush().await;
        assert_eq!(entries(&admin, filter).await.len(), 4);
    });
}
