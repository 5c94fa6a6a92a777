//! Whether a database that is spread over a Citus cluster is so as a whole, and tells the workers who acts. Says nothing
//! where there is no Citus.

use super::{Finding, Subject};
use crate::db::probe::{self, Citus};

const CHECK: &str = "citus";

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for options in [&subject.app, &subject.system].into_iter().flatten() {
        // The logins' own topic says why one does not get in.
        if let Ok(Some(citus)) = probe::citus(options).await {
            let is_first = findings.is_empty();
            findings.extend(judge(&citus, is_first));
        }
    }
    findings
}

fn judge(citus: &Citus, is_first: bool) -> Vec<Finding> {
    let Citus { version, login, .. } = citus;
    if citus.distributed == 0 {
        let found = format!("Citus {version} is here and nothing is distributed");
        let advice = "run `dealgraph migrate --distribute`, or leave it on one node";
        return match is_first {
            true => vec![Finding::warning(CHECK, found, advice)],
            false => Vec::new(),
        };
    }
    let mut findings = Vec::new();
    if is_first && citus.forgotten.is_empty() {
        let (tables, nodes) = (citus.distributed, citus.nodes);
        let found =
            format!("Citus {version}: {tables} tables and partitions by tenant over {nodes} nodes");
        findings.push(Finding::ok(CHECK, found));
    }
    if is_first && !citus.forgotten.is_empty() {
        let found = format!("not distributed: {}", citus.forgotten.join(", "));
        let advice = "run `dealgraph migrate --distribute`, which distributes what is new";
        findings.push(Finding::error(CHECK, found, advice));
    }
    if citus.propagates == "local" {
        findings.push(Finding::ok(
            CHECK,
            format!("the workers are told who {login} acts for"),
        ));
    } else {
        let found = format!(
            "citus.propagate_set_commands of {login} is {}, so that the policies on the workers see nobody",
            citus.propagates
        );
        let advice = "run `dealgraph migrate --distribute`, which sets it to local for both logins";
        findings.push(Finding::error(CHECK, found, advice));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn what_is_forgotten_or_not_told_is_an_error() {
        let sound = Citus {
            version: "13.2-1".to_owned(),
            login: "dealgraph_app".to_owned(),
            propagates: "local".to_owned(),
            distributed: 23,
            forgotten: Vec::new(),
            nodes: 2,
        };
        let levels = |citus: &Citus, is_first| -> Vec<Level> {
            let found = judge(citus, is_first);
            found.iter().map(|finding| finding.level).collect()
        };
        assert_eq!(levels(&sound, true), [Level::Ok, Level::Ok]);
        assert_eq!(levels(&sound, false), [Level::Ok]);
        let silent = Citus {
            propagates: "none".to_owned(),
            ..sound.clone()
        };
        assert_eq!(levels(&silent, false), [Level::Error]);
        let forgotten = Citus {
            forgotten: vec!["notes".to_owned()],
            ..sound.clone()
        };
        assert_eq!(levels(&forgotten, true), [Level::Error, Level::Ok]);
        let idle = Citus {
            distributed: 0,
            ..sound
        };
        assert_eq!(levels(&idle, true), [Level::Warning]);
        assert!(levels(&idle, false).is_empty());
    }
}
