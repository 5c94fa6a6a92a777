//! The pipeline that a new tenant begins with, so that a deal can be made at once.

use uuid::Uuid;

use super::{NewPipeline, NewStage, StageKind};
use crate::base::ids::{PipelineId, StageId, Typed as _};

/// Name, kind, probability in percent, days until a deal that stays is rotten.
const STAGES: [(&str, StageKind, i16, Option<i32>); 6] = [
    ("Qualification", StageKind::Open, 10, Some(30)),
    ("Discovery", StageKind::Open, 25, Some(30)),
    ("Proposal", StageKind::Open, 50, Some(30)),
    ("Negotiation", StageKind::Open, 75, Some(30)),
    ("Won", StageKind::Won, 100, None),
    ("Lost", StageKind::Lost, 0, None),
];

impl NewPipeline {
    /// The usual stages of a sale. The ids of the stages follow from the pipeline's, so making it twice makes it once.
    #[must_use]
    pub fn usual(id: PipelineId) -> Self {
        let stage = |(name, kind, probability, rotten_after_days): (&str, _, _, _)| NewStage {
            id: StageId::from_uuid(Uuid::new_v5(&id.uuid(), name.as_bytes())),
            name: name.to_owned(),
            kind,
            probability,
            rotten_after_days,
        };
        Self {
            id,
            name: "Sales".to_owned(),
            preferred: true,
            stages: STAGES.map(stage).into(),
        }
    }
}
