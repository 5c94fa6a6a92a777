//! What rights come to.

use super::*;
use crate::access::Role;

fn parsed(permissions: &[&str]) -> Result<Rights, BadPermission> {
    let permissions: Vec<_> = permissions.iter().map(|&text| text.to_owned()).collect();
    Rights::parse(&permissions, &[])
}

#[test]
fn nobody_edits_what_they_cannot_see_or_deletes_what_they_cannot_edit() {
    for rights in Role::ALL.map(Role::rights) {
        for kind in RecordKind::ALL {
            assert!(rights.edits(kind) <= rights.sees(kind), "{kind:?}");
            assert!(rights.deletes(kind) <= rights.edits(kind), "{kind:?}");
        }
    }
    let wider = parsed(&["leads:read:own", "leads:write:team"]).unwrap_err();
    assert!(matches!(
        wider,
        BadPermission::Wider {
            wider: "leads:write",
            ..
        }
    ));
}

#[test]
fn permissions_are_read_with_their_scopes_and_nothing_else_is() {
    let rights = parsed(&["leads:read:team", "leads:write:own", "audit:read"]).expect("a role");
    assert_eq!(
        rights.permissions(),
        ["leads:read", "leads:write", "audit:read"]
    );
    assert_eq!(
        (
            rights.sees(RecordKind::Leads),
            rights.edits(RecordKind::Leads)
        ),
        (Scope::Team, Scope::Own)
    );
    assert_eq!(rights.sees(RecordKind::Contacts), Scope::None);
    for bad in [
        "leads:read",
        "leads:read:everything",
        "leads:steal:all",
        "audit:read:all",
        "",
        "admin', '",
    ] {
        assert!(parsed(&[bad]).is_err(), "{bad}");
    }
}

#[test]
fn what_nobody_owns_is_all_of_who_holds_its_permissions() {
    const PRODUCTS: Access = Access::Shared {
        read: "opportunities:read",
        write: "admin",
    };
    let reach = |permissions: &[&str]| {
        let rights = parsed(permissions).expect("a role");
        let on = PRODUCTS;
        (rights.sees(on), rights.edits(on), rights.deletes(on))
    };
    let (all, none) = (Scope::All, Scope::None);
    assert_eq!(reach(&["opportunities:read:own"]), (all, none, none));
    let admin = ["admin", "users:read", "opportunities:read:own"];
    assert_eq!(reach(&admin), (all, all, all));
    // What can't be read can't be changed either.
    assert_eq!(reach(&admin[..2]), (none, none, none));
    let admin = Role::Admin.rights();
    assert_eq!(admin.edits(PRODUCTS), all);
    assert_eq!(admin.reading_only().edits(PRODUCTS), none);
}

#[test]
fn what_is_granted_reads_back_as_the_same_rights() {
    for rights in Role::ALL.map(Role::rights) {
        assert_eq!(Rights::parse(&rights.granted(), &[]), Ok(rights));
    }
    let rep = Role::SalesRep.rights();
    for (text, held) in [
        ("leads:write", true),
        ("leads:write:own", true),
        ("leads:write:team", false),
        ("admin", false),
        ("leads", false),
        ("nonsense:read:all", false),
    ] {
        assert_eq!(rep.holds(text), held, "{text}");
    }
    let twice = parsed(&["leads:read:own", "leads:read:all"]).expect("the wider counts");
    assert_eq!(twice.granted(), ["leads:read:all"]);
    assert!(parsed(&["users:write"]).is_err() && parsed(&["admin"]).is_err());
}

#[test]
fn a_team_scope_reaches_only_the_teams_below() {
    let (manager, admin) = (Role::Manager.rights(), Role::Admin.rights());
    let reaches = |mine, theirs| manager.reach_as_far(mine, &Role::Manager.rights(), theirs);
    assert!(reaches(Some("aa."), Some("aa.")) && reaches(Some("aa."), Some("aa.bb.")));
    assert!(!reaches(Some("aa.bb."), Some("aa.")) && !reaches(Some("aa."), Some("cc.")));
    assert!(!reaches(None, Some("aa.")) && reaches(None, None));
    assert!(admin.reach_as_far(None, &manager, Some("aa.")));
    assert!(manager.reach_as_far(Some("aa."), &Role::SalesRep.rights(), Some("cc.")));
}

#[test]
fn rights_cover_what_is_narrower_and_their_meeting_is_covered_by_both() {
    let all = Role::ALL.map(Role::rights);
    for mine in &all {
        assert!(Role::Admin.rights().cover(mine) && mine.cover(mine));
        assert!(mine.cover(&mine.reading_only()));
        for theirs in &all {
            let both = mine.and(theirs);
            assert!(mine.cover(&both) && theirs.cover(&both));
        }
    }
    assert!(!Role::Manager.rights().cover(&Role::Admin.rights()));
    let masked = Rights::parse(&[], &[Sensitive::Emails]).expect("a role");
    assert!(
        !masked.cover(&parsed(&[]).expect("a role")),
        "a mask is no right to give away"
    );
}
