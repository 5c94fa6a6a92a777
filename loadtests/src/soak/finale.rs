//! The first writes and the last ones: those that set a tenant up, and those that every subscriber waits for.

use std::{collections::HashMap, time::Duration};

use serde_json::json;

use super::{
    Scene,
    history::{Ending, Event, Violation, Write},
    kind::{Kind, mint},
    log,
    sight::Expected,
    wait_for_all,
    world::{NORTHERNER, SOUTHERNER},
    writers::{Desk, Writer, acts::Act, acts::named},
};
use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
};

/// A subscriber who sees none of the last writes receives a newer cursor every 30 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the writers, the one that is an admin; and numbers that no writer has.
const BEGINNER: usize = 8_000;
const FINISHER: usize = 8_008;

/// Sets a tenant up by its admin.
pub(super) async fn set_up(
    desk: &std::sync::Arc<Desk>,
    dice: &mut fastrand::Rng,
) -> Outcome<Vec<Write>> {
    let mut writer = Writer::new(desk, BEGINNER, dice.fork());
    for (mutation, input) in desk.tenant.set_up() {
        let ending = writer.carry_out(Act::aside(mutation, input)).await?;
        if !matches!(ending, Ending::Done(_)) {
            return Err(format!("{mutation}: {ending:?}").into());
        }
    }
    Ok(writer.into_writes())
}

/// Writes one thing of each kind that every watcher sees and that meets every filter, and waits until each has received it.
pub(super) async fn play(
    scene: &mut Scene,
    cluster: &Cluster,
    dice: &mut fastrand::Rng,
) -> Outcome<Option<Violation>> {
    let mut database = cluster.superuser_of(DATABASE).await?;
    let before = log::counter(&mut database, scene.tenant.id).await?;
    let mut writer = Writer::new(&scene.desk, FINISHER, dice.fork());
    for act in last_acts(scene, dice) {
        let ending = writer.carry_out(act.clone()).await?;
        if !matches!(ending, Ending::Done(_)) {
            return Ok(Some(format!(
                "everything is whole, and {act:?} ended with {ending:?}"
            )));
        }
    }
    scene.writes.extend(writer.into_writes());
    let mut last: Vec<Event> = Vec::new();
    let take = |event: &Event| last.push(event.clone());
    log::events(&mut database, scene.tenant.id, before, take).await?;
    let mut goals = HashMap::new();
    for (watch, _) in &scene.reached {
        let expected = last
            .iter()
            .filter(|event| matches!(watch.expects(event), Expected::Notification(_)));
        let goal = expected.map(|event| event.seq).max().unwrap_or(0);
        goals.insert(watch.name.clone(), goal);
    }
    let waited = wait_for_all(&[&*scene], PATIENCE, |watch| goals[&watch.name]).await;
    Ok(waited
        .err()
        .map(|late| format!("{late} has not received the last writes")))
}

fn last_acts(scene: &Scene, dice: &mut fastrand::Rng) -> Vec<Act> {
    let user = |person: usize| json!(format!("user:{}", scene.tenant.people[person].sight.user));
    let stage = json!(format!("stage:{}", scene.tenant.pipelines[0].stages[0]));
    let mut acts = Vec::new();
    let mut create = |kind: Kind, owner: usize| {
        let id = mint(dice);
        let mark = format!("a last {id}");
        let mut input = json!({ "id": kind.id(id), "ownerId": user(owner) });
        input[kind.mark_field()] = json!(mark);
        match kind {
            Kind::Company => input["industry"] = json!("steel"),
            Kind::Contact => {
                input["firstName"] = json!("Kim");
                input["warmnessScore"] = json!(90);
            }
            Kind::Lead => input["firstName"] = json!("Kim"),
            Kind::Opportunity => {
                input["stageId"] = stage.clone();
                let others = json!([{ "userId": user(SOUTHERNER) }]);
                input["collaborators"] = others;
            }
            Kind::Activity => input["kind"] = json!("CALL"),
        }
        acts.push(Act {
            mutation: named(kind, "Create"),
            of: Some((kind, id)),
            expected: None,
            mark: Some(mark),
            input,
        });
    };
    for kind in [Kind::Lead, Kind::Activity] {
        create(kind, SOUTHERNER);
        create(kind, NORTHERNER);
    }
    for kind in [Kind::Company, Kind::Contact, Kind::Opportunity] {
        create(kind, NORTHERNER);
    }
    acts
}
