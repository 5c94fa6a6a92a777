//! The commands of a page.

use std::{cell::RefCell, collections::BTreeMap, fs, path::Path};

/// The blocks of the page by the heading that they are under, and which were asked for.
pub(crate) struct Page {
    blocks: BTreeMap<String, Vec<String>>,
    run: RefCell<Vec<String>>,
}

impl Page {
    /// Reads a page; its blocks that are run say which file of the tests runs them.
    pub(crate) fn read(page: &str, tested_by: &str) -> Self {
        let fence = format!("```sh tested-by={tested_by}");
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(page).expect("the page is there");
        let mut blocks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut heading = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(title) = line.strip_prefix("## ") {
                title.clone_into(&mut heading);
            } else if line == fence {
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
    pub(crate) fn blocks<const N: usize>(&self, heading: &str) -> [&str; N] {
        self.run.borrow_mut().push(heading.to_owned());
        let blocks = self.blocks.get(heading).expect(heading);
        let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
        blocks.try_into().expect(heading)
    }

    /// A section that is added to the page is run, or this fails.
    pub(crate) fn assert_all_were_run(&self) {
        let mut run = self.run.take();
        run.sort();
        assert!(self.blocks.keys().eq(&run), "{run:?}");
    }
}
