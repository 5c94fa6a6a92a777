//! All SQL that only pipelines and stages need.

use super::model::{Pipeline, Stage, StageFields};
use crate::{
    base::{
        error::{Error, Result},
        ids::{PipelineId, StageId},
    },
    db::{Columns as _, ReadTx, Sql, Tx},
};

pub(super) async fn next_position(tx: &mut Tx) -> Result<i32> {
    let sql = Sql::new("SELECT coalesce(max(position) + 1, 0) FROM pipelines WHERE tenant_id = ")
        .bind(tx.tenant());
    Ok(tx.column::<i32>(sql).await?.first().copied().unwrap_or(0))
}

pub(super) async fn preferred(tx: &mut Tx) -> Result<Vec<Pipeline>> {
    let sql = Sql::new("SELECT ")
        .push(Pipeline::select())
        .push(" FROM pipelines t WHERE t.preferred AND t.tenant_id = ")
        .bind(tx.tenant())
        .push(" FOR UPDATE");
    tx.all(sql).await
}

pub(super) async fn insert_stages(
    tx: &mut Tx,
    pipeline: PipelineId,
    stages: &[(StageId, StageFields)],
) -> Result<()> {
    let tenant = tx.tenant();
    let sql = Sql::new(
        "INSERT INTO stages (tenant_id, stage_id, pipeline_id, name, position, kind, probability, rotten_after_days)",
    );
    let sql = sql.rows(stages, |mut row, (id, f)| {
        row.bind(tenant)
            .bind(*id)
            .bind(pipeline)
            .bind(f.name.clone())
            .bind(f.position)
            .bind(f.kind)
            .bind(f.probability)
            .bind(f.rotten_after_days);
    });
    tx.execute(sql).await?;
    Ok(())
}

pub(super) async fn update_stage(tx: &mut Tx, stage: &Stage) -> Result<()> {
    let f = &stage.fields;
    let sql = Sql::new("UPDATE stages SET name = ")
        .bind(f.name.clone())
        .push(", position = ")
        .bind(f.position)
        .push(", probability = ")
        .bind(f.probability)
        .push(", rotten_after_days = ")
        .bind(f.rotten_after_days)
        .push(" WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND stage_id = ")
        .bind(stage.id);
    match tx.execute(sql).await? {
        0 => Err(Error::Forbidden("change stages")),
        _ => Ok(()),
    }
}

pub(super) async fn delete_stage(tx: &mut Tx, id: StageId) -> Result<()> {
    let sql = Sql::new("DELETE FROM stages WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND stage_id = ")
        .bind(id);
    match tx.execute(sql).await? {
        0 => Err(Error::Forbidden("delete stages")),
        _ => Ok(()),
    }
}

pub(super) async fn stages(tx: &mut ReadTx, pipeline: Option<PipelineId>) -> Result<Vec<Stage>> {
    let sql = Sql::new("SELECT ")
        .push(Stage::select())
        .push(" FROM stages t WHERE t.tenant_id = ")
        .bind(tx.tenant());
    let sql = match pipeline {
        Some(pipeline) => sql.push(" AND t.pipeline_id = ").bind(pipeline),
        None => sql,
    };
    tx.all(sql.push(" ORDER BY t.pipeline_id, t.position, t.stage_id"))
        .await
}

pub(super) async fn most_stages(tx: &mut ReadTx) -> Result<usize> {
    let sql = Sql::new("SELECT count(*) FROM stages t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" GROUP BY t.pipeline_id ORDER BY 1 DESC LIMIT 1");
    let most = tx.column::<i64>(sql).await?;
    Ok(most
        .first()
        .map_or(0, |most| usize::try_from(*most).unwrap_or(0)))
}

pub(super) async fn entry_stage(tx: &mut Tx) -> Result<Option<Stage>> {
    let sql = Sql::new("SELECT ")
        .push(Stage::select())
        .push(" FROM stages t JOIN pipelines p ON p.pipeline_id = t.pipeline_id AND p.tenant_id = ")
        .bind(tx.tenant())
        .push(" WHERE t.kind = 'OPEN' AND p.archived_at IS NULL AND t.tenant_id = ")
        .bind(tx.tenant())
        .push(" ORDER BY p.preferred DESC, p.position, t.position LIMIT 1");
    tx.optional(sql).await
}
