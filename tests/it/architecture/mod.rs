//! Who may know what: the layers of `src/`, each of which names only those below it, and what only some folders may name.

mod source;

use std::{fs, path::Path};

use source::Source;

/// From the ground up.
const LAYERS: [&str; 14] = [
    "base",
    "access",
    "platform",
    "db",
    "entity",
    "events",
    "jobs",
    "graphql",
    "organization",
    "crm",
    "data",
    "integrations",
    "api",
    "tools",
];

/// A crate, and where it may be named.
const MAY_NAME: [(&str, &[&str]); 8] = [
    ("jsonwebtoken", &["organization/auth/"]),
    (
        "openidconnect",
        &["organization/identities/", "platform/outbound/fetch.rs"],
    ),
    ("oauth2", &["integrations/provider/oauth.rs"]),
    ("lettre", &["platform/mail/", "tools/"]),
    ("redis", &["platform/redis/", "events/bus.rs", "tools/dev/"]),
    ("reqwest", &["platform/outbound/", "platform/telemetry/"]),
    ("hickory_resolver", &["platform/outbound/"]),
    (
        "axum",
        &[
            "api/",
            "organization/accounts/pages/",
            "organization/auth/keys/",
            "platform/",
            "tools/",
        ],
    ),
];

/// A name of the code, and where it may stand.
const MAY_SAY: [(&str, &[&str]); 4] = [
    ("PgPool", &["db/"]),
    ("PgPoolOptions", &["db/"]),
    ("PgConnectOptions", &["db/", "tools/"]),
    ("var_os", &["tools/config/", "tools/dev/path.rs"]),
];

/// What the rules of a domain and their part of the schema never name, by the files that have them: crates, or modules of
/// the domain itself.
const MUST_NOT_NAME: [(&str, &[&str]); 9] = [
    ("model.rs", RULES),
    ("new.rs", RULES),
    ("standing.rs", RULES),
    ("graphql.rs", SCHEMA),
    ("parts.rs", SCHEMA),
    ("filter.rs", SCHEMA),
    ("mutation.rs", SCHEMA),
    ("input.rs", SCHEMA),
    ("store.rs", &["async_graphql", "axum", "redis"]),
];
// A rule judges what it is given. What asks the database first is a verb, or a hook in `record.rs`.
const RULES: &[&str] = &[
    "axum", "redis", "reqwest", "hyper", "store", "Tx", "ReadTx", "SystemTx", "Sql",
];
// How sensitive a value is, is named where it is declared.
const SCHEMA: &[&str] = &["store", "axum", "redis", "Sensitivity"];

#[test]
fn a_layer_names_only_those_below_it() {
    let place = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    let (mut upwards, mut unknown, mut seen) = (Vec::new(), Vec::new(), [false; LAYERS.len()]);
    for source in Source::all() {
        let Some(layer) = source.layer() else {
            continue;
        };
        let Some(own) = place(layer) else {
            unknown.push(source.file);
            continue;
        };
        seen[own] = true;
        for path in &source.own {
            let root = path.split("::").next().unwrap_or_default();
            match place(root) {
                Some(named) if named > own => {
                    upwards.push(format!("src/{} names {path}", source.file));
                }
                Some(_) => {}
                None => unknown.push(format!("src/{} names {path}", source.file)),
            }
        }
    }
    assert_eq!(upwards, [""; 0]);
    assert_eq!(unknown, [""; 0], "not in a layer");
    assert_eq!(seen, [true; LAYERS.len()], "there is something in each");
}

#[test]
fn only_the_folders_that_own_a_thing_name_it() {
    let (mut offenders, mut found) = (Vec::new(), std::collections::BTreeSet::new());
    for Source {
        file,
        own,
        others,
        names,
    } in Source::all()
    {
        let may = |places: &[&str]| places.iter().any(|place| file.starts_with(place));
        for (named, places) in MAY_NAME {
            let is_it = |path: &&String| path.split("::").next() == Some(named);
            for path in others.iter().filter(is_it) {
                found.insert(named);
                if !may(places) {
                    offenders.push(format!("src/{file} names {path}"));
                }
            }
        }
        for (said, places) in MAY_SAY {
            if names
                .iter()
                .chain(others.iter())
                .any(|name| name.split("::").any(|part| part == said))
            {
                found.insert(said);
                if !may(places) {
                    offenders.push(format!("src/{file} says {said}"));
                }
            }
        }
        if others.iter().any(|path| path.ends_with("Utc::now")) && file != "base/clock.rs" {
            offenders.push(format!("src/{file} asks what time it is"));
        }
        for (_, named) in MUST_NOT_NAME
            .iter()
            .filter(|(name, _)| Path::new(&file).ends_with(name))
        {
            let is_named = |path: &&String| path.split("::").any(|part| named.contains(&part));
            let domains = own
                .iter()
                .filter(|path| !path.starts_with("platform::redis"));
            for path in others.iter().chain(domains).filter(is_named) {
                offenders.push(format!("src/{file} names {path}"));
            }
        }
    }
    assert_eq!(offenders, [""; 0]);
    assert_eq!(
        found.len(),
        MAY_NAME.len() + MAY_SAY.len(),
        "each is named somewhere: {found:?}"
    );
}

#[test]
fn the_sql_of_a_domain_is_its_own() {
    let sources = Source::all();
    let stores = sources.iter().filter_map(|source| {
        let store = source
            .file
            .trim_end_matches("/mod.rs")
            .trim_end_matches(".rs");
        store.strip_suffix("/store")
    });
    let domains: std::collections::BTreeSet<String> = stores.map(str::to_owned).collect();
    assert!(domains.len() > 10, "domains are found: {domains:?}");
    let mut offenders = Vec::new();
    for source in &sources {
        for domain in &domains {
            let store = format!("{}::store", domain.replace('/', "::"));
            let is_inside = source.file.starts_with(&format!("{domain}/"));
            let reaches = source.own.iter().filter(|path| path.starts_with(&store));
            offenders.extend(
                reaches
                    .filter(|_| !is_inside)
                    .map(|path| format!("src/{} names {path}", source.file)),
            );
        }
    }
    assert_eq!(offenders, [""; 0]);
}

#[test]
fn every_policy_file_is_compiled_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut files: Vec<String> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.ends_with(".sql"))
        .collect();
    files.sort();
    let compiled: Vec<_> = dealgraph::db::migrate::POLICIES
        .iter()
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(compiled, files);
}
