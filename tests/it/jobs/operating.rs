//! The operator's command line for jobs.

use std::cell::RefCell;

use dealgraph::organization::jobs::command::{JobCommand, run};

use super::probe::{Act, Working, ended, probe, put, quick, until};
use crate::harness::{A, Who, World, test};

async fn operate(world: &World, command: JobCommand) -> Result<String, String> {
    let db = crate::harness::open(&world.database, 2).await;
    let lines = RefCell::new(String::new());
    let print = |line: String| lines.borrow_mut().push_str(&(line + "\n"));
    let done = run(command, &db, print).await;
    db.close().await;
    done.map_err(|error| error.to_string())?;
    Ok(lines.into_inner())
}

#[test]
fn an_operator_sees_what_failed_and_has_it_tried_again() {
    test(async |world| {
        let tenant = world.a(Who::Admin).query("{ tenant { slug } }").await;
        let slug = tenant["tenant"]["slug"]
            .as_str()
            .expect("a slug")
            .to_owned();
        let work = Working::begin(world, quick()).await;
        put(world, A, Who::Rep, &probe(Act::Refuse)).await;
        put(world, A, Who::Rep, &probe(Act::Nothing(1))).await;
        ended(world, A, Who::Rep).await;
        let list = |failed| JobCommand::List {
            slug: slug.clone(),
            failed,
        };
        let failed = operate(world, list(true)).await.expect("it is listed");
        assert_eq!(failed.lines().count(), 1, "{failed}");
        assert!(
            failed.contains("\ttest.probe\tFAILED\t1 attempts\t"),
            "{failed}"
        );
        assert!(failed.contains("NEVER: this can't be done"), "{failed}");
        let all = operate(world, list(false)).await.expect("they are listed");
        assert!(all.lines().count() >= 3, "with the one of the world: {all}");
        let id = failed
            .split('\t')
            .next()
            .expect("an id")
            .parse()
            .expect("an id");
        let retry = JobCommand::Retry {
            slug: slug.clone(),
            id,
        };
        let retried = operate(world, retry).await.expect("it failed");
        assert!(retried.contains("Queued"), "{retried}");
        until(world, (A, Who::Rep), |_| work.seen.begun().len() == 3).await;
        ended(world, A, Who::Rep).await;
        let cancel = JobCommand::Cancel { slug, id };
        let refused = operate(world, cancel).await.expect_err("it has ended");
        assert_eq!(refused, "there is no such job");
        let nowhere = JobCommand::List {
            slug: "nowhere".to_owned(),
            failed: false,
        };
        let refused = operate(world, nowhere).await.expect_err("no tenant");
        assert!(refused.contains("no such tenant"), "{refused}");
        work.end().await;
    });
}
