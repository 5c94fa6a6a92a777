//! The mails that the product sent, read from the folder they go to.

use std::{fs, path::Path, time::Duration};

use super::World;

/// A mail as its reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl Mail {
    fn read(text: &str) -> Self {
        let (head, text) = text.split_once("\n\n").expect("a head and a text");
        let header = |name: &str| {
            let mut lines = head.lines();
            let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            found.expect("the header is there").to_owned()
        };
        Self {
            to: header("To"),
            subject: header("Subject"),
            text: text.to_owned(),
        }
    }

    /// The address of the link in it.
    pub(crate) fn link(&self) -> &str {
        let mut words = self.text.split_whitespace();
        words
            .find(|word| word.starts_with("https://app.example/account/"))
            .unwrap_or_else(|| panic!("there is no link in {self:?}"))
    }

    /// The secret in its link.
    pub(crate) fn token(&self) -> String {
        let (_, token) = self
            .link()
            .split_once("#token=")
            .expect("a secret in the fragment");
        token.to_owned()
    }
}

impl World {
    /// All mails so far, the oldest first.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        read_all(self.mail_folder())
    }

    /// The mails to an address, once there are so many.
    pub(crate) async fn mails_to(&self, address: &str, count: usize) -> Vec<Mail> {
        for _ in 0..400 {
            let mut mails = self.mails();
            mails.retain(|mail| mail.to == address);
            if mails.len() >= count {
                assert_eq!(mails.len(), count, "{mails:?}");
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{address} did not get {count} mails: {:?}", self.mails());
    }

    /// The last of so many mails to an address.
    pub(crate) async fn mail_to(&self, address: &str, count: usize) -> Mail {
        self.mails_to(address, count).await.pop().expect("a mail")
    }
}

/// All mails in a folder, the oldest first.
pub(crate) fn read_all(folder: &Path) -> Vec<Mail> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
        .collect();
    paths.sort();
    let texts = paths
        .iter()
        .map(|path| fs::read_to_string(path).expect("a text"));
    texts.map(|text| Mail::read(&text)).collect()
}
