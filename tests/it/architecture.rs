//! Who may know what: the directions between the folders of `src/`, by the words in their files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A word, and the files that may say it, by the start of their path below `src/`.
const MAY_SAY: [(&str, &[&str]); 8] = [
    ("PgPool", &["db/"]),
    ("sqlx::Pool", &["db/"]),
    (
        "PgConnectOptions",
        &["db/", "dev/", "config/", "app.rs", "cli/"],
    ),
    ("redis::", &["events/", "cache/", "dev/"]),
    ("jsonwebtoken", &["auth/"]),
    ("reqwest", &["integrations/", "telemetry/", "auth/fetch"]),
    ("env::var(", &["config/"]),
    ("Utc::now", &["clock.rs"]),
];

/// What a domain's part of the schema never says, whichever of its files.
const NOT_IN_THE_SCHEMA: &[&str] = &["store::", "super::store", "Pool"];

/// What a domain's rules never say, whichever of its files.
const NOT_IN_RULES: &[&str] = &["axum", "redis", "Pool", "reqwest", "hyper"];

/// Words that files of a name never say.
const MUST_NOT_SAY: [(&str, &[&str]); 9] = [
    ("model.rs", NOT_IN_RULES),
    ("new.rs", NOT_IN_RULES),
    ("standing.rs", NOT_IN_RULES),
    ("graphql.rs", NOT_IN_THE_SCHEMA),
    ("parts.rs", NOT_IN_THE_SCHEMA),
    ("filter.rs", NOT_IN_THE_SCHEMA),
    ("mutation.rs", NOT_IN_THE_SCHEMA),
    ("input.rs", NOT_IN_THE_SCHEMA),
    ("store.rs", &["async_graphql", "axum", "redis", "Pool"]),
];

#[test]
fn only_the_folders_that_own_a_thing_name_it() {
    let mut offenders = Vec::new();
    for (file, text) in sources() {
        for (word, places) in MAY_SAY {
            let may = places.iter().any(|place| file.starts_with(place));
            offenders.extend(
                lines_with(&text, word)
                    .filter(|_| !may)
                    .map(|line| format!("src/{file} says `{word}`: {line}")),
            );
        }
        for (name, words) in MUST_NOT_SAY {
            for word in words.iter().filter(|_| Path::new(&file).ends_with(name)) {
                offenders.extend(
                    lines_with(&text, word).map(|line| format!("src/{file} says `{word}`: {line}")),
                );
            }
        }
    }
    assert_eq!(offenders, [""; 0]);
}

#[test]
fn the_sql_of_a_domain_is_its_own() {
    let domains: Vec<String> = sources()
        .filter_map(|(file, _)| Some(file.strip_suffix("/store.rs")?.to_owned()))
        .collect();
    assert!(!domains.is_empty(), "domains are found");
    for (file, text) in sources() {
        for domain in domains
            .iter()
            .filter(|domain| !file.starts_with(&format!("{domain}/")))
        {
            assert_eq!(
                lines_with(&text, &format!("{domain}::store")).next(),
                None,
                "src/{file} reaches into the store of {domain}"
            );
        }
        if let Some(domain) = file
            .strip_suffix("/mod.rs")
            .filter(|domain| domains.iter().any(|known| known == domain))
        {
            assert!(
                text.contains("\nmod store;"),
                "the store of {domain} is open to others"
            );
        }
    }
}

#[test]
fn nothing_below_the_domains_knows_them() {
    let domains = [
        "activities",
        "companies",
        "contacts",
        "leads",
        "opportunities",
        "pipelines",
    ];
    for (file, text) in sources() {
        let is_below = [
            "db/",
            "auth/",
            "events/",
            "cache/",
            "telemetry/",
            "server/",
            "config/",
        ]
        .iter()
        .any(|folder| file.starts_with(folder));
        for domain in domains.iter().filter(|_| is_below) {
            assert_eq!(
                lines_with(&text, &format!("{domain}::")).next(),
                None,
                "src/{file} knows {domain}"
            );
        }
    }
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

/// Lines of code that contain a word; comments and tests may say anything.
fn lines_with<'t>(text: &'t str, word: &str) -> impl Iterator<Item = &'t str> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    code.lines()
        .map(str::trim)
        .filter(move |line| !line.starts_with("//") && line.contains(word))
        .collect::<Vec<_>>()
        .into_iter()
}

/// All files of `src/`, by their path below it.
fn sources() -> impl Iterator<Item = (String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 50, "the files are found");
    files
        .into_iter()
        .filter(|path| !path.components().any(|part| part.as_os_str() == "tests"))
        .map(move |path| {
            let name = path
                .strip_prefix(&root)
                .expect("it is below")
                .to_string_lossy()
                .replace('\\', "/");
            (name, fs::read_to_string(path).expect("a text"))
        })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("tests.rs")
        {
            files.push(path);
        }
    }
}
