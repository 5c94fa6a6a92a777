//! What the files of `src/` name, by their tokens: comments and texts may say anything.

use std::{fs, path::Path};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A file of `src/`.
pub(super) struct Source {
    /// Its path below `src/`.
    pub(super) file: String,
    /// The paths in it that begin at the crate's root, `super` and `self` resolved: `base::ids::TenantId`.
    pub(super) own: Vec<String>,
    /// Its other paths: `sqlx::PgPool`, or `Vec::new`.
    pub(super) others: Vec<String>,
    /// Every name in it, tests left out.
    pub(super) names: Vec<String>,
}

impl Source {
    /// All files but those of tests.
    pub(super) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut all, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                let is_test = path.ends_with("tests") || path.ends_with("tests.rs");
                if path.is_dir() && !is_test {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") && !is_test {
                    let file = path.strip_prefix(&root).expect("it is below").to_owned();
                    let text = fs::read_to_string(&path).expect("a text");
                    all.push(Self::read(
                        &file.to_string_lossy().replace('\\', "/"),
                        &text,
                    ));
                }
            }
        }
        assert!(all.len() > 300, "the files are found: {}", all.len());
        all
    }

    pub(super) fn read(file: &str, text: &str) -> Self {
        let tokens: TokenStream = text.parse().expect("Rust");
        let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
        let mut source = Self {
            file: file.to_owned(),
            own: Vec::new(),
            others: Vec::new(),
            names: Vec::new(),
        };
        source.walk(&tokens.into_iter().collect::<Vec<_>>(), module);
        source
    }

    /// The layer that it is in.
    pub(super) fn layer(&self) -> Option<&str> {
        Some(self.file.split_once('/')?.0)
    }

    fn walk(&mut self, tokens: &[TokenTree], module: &str) {
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    self.walk(&inner, module);
                    at += 1;
                }
                TokenTree::Ident(name) if name == "mod" && is_tests(&tokens[at..]) => at += 3,
                TokenTree::Ident(name) => {
                    self.names.push(name.to_string());
                    let (paths, after) = path(tokens, at);
                    for path in paths.into_iter().filter(|path| path.contains("::")) {
                        match resolved(&path, module) {
                            Some(own) => self.own.push(own),
                            None => self.others.push(path),
                        }
                    }
                    at = after;
                }
                _ => at += 1,
            }
        }
    }
}

/// Whether `mod tests { … }` stands here.
fn is_tests(tokens: &[TokenTree]) -> bool {
    let [_, TokenTree::Ident(name), TokenTree::Group(_), ..] = tokens else {
        return false;
    };
    name == "tests"
}

/// The paths that begin with a name, several of a `use` with braces, and where the tokens go on.
fn path(tokens: &[TokenTree], at: usize) -> (Vec<String>, usize) {
    let TokenTree::Ident(first) = &tokens[at] else {
        return (Vec::new(), at + 1);
    };
    let (mut path_so_far, mut at) = (first.to_string(), at + 1);
    while is_colons(tokens, at) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(name)) => {
                path_so_far = format!("{path_so_far}::{name}");
                at += 3;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                let below = tree(&inner);
                let all = below.iter().map(|below| format!("{path_so_far}::{below}"));
                return (all.collect(), at + 3);
            }
            _ => break,
        }
    }
    (vec![path_so_far], at)
}

/// The paths between the braces of a `use`.
fn tree(tokens: &[TokenTree]) -> Vec<String> {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let (paths, after) = path(tokens, at);
        let is_renamed =
            matches!(tokens.get(at.wrapping_sub(1)), Some(TokenTree::Ident(word)) if word == "as");
        if !is_renamed {
            all.extend(paths);
        }
        at = after;
    }
    all.retain(|path| path != "as");
    all
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon =
        |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    is_colon(at) && is_colon(at + 1)
}

/// A path from the crate's root, if it is one of the crate's.
fn resolved(path: &str, module: &str) -> Option<String> {
    if let Some(own) = path.strip_prefix("crate::") {
        return Some(own.to_owned());
    }
    let (mut module, mut rest) = (module, path);
    if let Some(below) = rest.strip_prefix("self::") {
        return Some(format!("{module}::{below}").replace('/', "::"));
    }
    while let Some(above) = rest.strip_prefix("super::") {
        module = module.rsplit_once('/').map_or("", |(above, _)| above);
        rest = above;
    }
    let own = format!("{module}::{rest}").replace('/', "::");
    (rest != path).then(|| own.trim_start_matches("::").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_wherever_they_stand() {
        let text = "
            //! crate::comments::say_anything
            use crate::{base::{error::Result, ids::{self, TenantId as T}}, db::Tx};
            use super::{model::Lead, super::up};
            macro_rules! m { () => { $crate::api::node::find() } }
            fn f(of: &redis::Client) -> Vec<crate::tools::Dev> { sqlx::query(\"crate::texts::too\") }
            mod tests { use crate::tools::cli; }
        ";
        let source = Source::read("crm/leads/mod.rs", text);
        let own = [
            "base::error::Result",
            "base::ids::self",
            "base::ids::TenantId",
            "db::Tx",
            "crm::model::Lead",
            "up",
            "api::node::find",
            "tools::Dev",
        ];
        assert_eq!(source.own, own);
        assert_eq!(source.others, ["redis::Client", "sqlx::query"]);
        assert!(source.names.iter().any(|name| name == "Vec"));
    }
}
