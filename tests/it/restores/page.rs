//! The commands of docs/operators/backup.md.

use std::{cell::RefCell, collections::BTreeMap, fs, path::Path};

const PAGE: &str = "docs/operators/backup.md";
/// What a block says that is run here.
const FENCE: &str = "```sh tested-by=tests/it/restores/mod.rs";

/// The blocks of the page by the heading that they are under, and which were asked for.
pub(super) struct Page {
    blocks: BTreeMap<String, Vec<String>>,
    run: RefCell<Vec<String>>,
}

impl Page {
    pub(super) fn read() -> Self {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        let text = fs::read_to_string(page).expect("the page is there");
        let mut blocks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut heading = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(title) = line.strip_prefix("## ") {
                title.clone_into(&mut heading);
            } else if line == FENCE {
                let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
                let under = blocks.entry(heading.clone()).or_default();
                under.push(block.join("\n"));
            }
        }
        Self {
            blocks,
            run: RefCell::default(),
        }
    }

    /// All that is under a heading.
    pub(super) fn blocks<const N: usize>(&self, heading: &str) -> [&str; N] {
        self.run.borrow_mut().push(heading.to_owned());
        let blocks = self.blocks.get(heading).expect(heading);
        let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
        blocks.try_into().expect(heading)
    }

    /// A section that is added to the page is run, or this fails.
    pub(super) fn assert_all_were_run(&self) {
        let mut run = self.run.take();
        run.sort();
        assert!(self.blocks.keys().eq(&run), "{run:?}");
    }
}
