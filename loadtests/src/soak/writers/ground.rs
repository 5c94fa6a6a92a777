//! What acts are invented upon: values for fields, and records and people to refer to.

use serde_json::{Value as Json, json};

use super::book::Book;
use crate::soak::{
    kind::Kind,
    world::{ADMIN, NORTHERNER, SOUTHERNER, Tenant},
};

pub(crate) struct Ground<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) book: &'a Book,
    pub(crate) author: usize,
}

impl Ground<'_> {
    /// Something to write into a record beside its mark; now and then it gets another owner.
    pub(super) fn fields(&self, dice: &mut fastrand::Rng, kind: Kind) -> Json {
        let mut fields = json!({});
        if dice.u8(..10) < 4 {
            let owners = [ADMIN, NORTHERNER, SOUTHERNER, self.author];
            fields["ownerId"] = self.person(owners[dice.usize(..owners.len())]);
        }
        let money = |dice: &mut fastrand::Rng| json!({ "amountMinor": dice.u32(..90_000), "currency": "USD" });
        let company = |dice: &mut fastrand::Rng| {
            let known = self.book.pick(dice, Kind::Company);
            json!(known.map(|known| Kind::Company.id(known.id)))
        };
        match kind {
            Kind::Company => fields["industry"] = json!(["steel", "paper"][dice.usize(..2)]),
            Kind::Contact => {
                fields["warmnessScore"] = json!(dice.u8(..=100));
                fields["companyId"] = company(dice);
            }
            Kind::Lead => {
                let statuses = ["NEW", "CONTACTED", "QUALIFIED", "NURTURING"];
                fields["status"] = json!(statuses[dice.usize(..4)]);
                fields["estimatedAmount"] = money(dice);
            }
            Kind::Opportunity => {
                fields["amount"] = money(dice);
                if dice.bool() {
                    fields["companyId"] = company(dice);
                }
            }
            Kind::Activity => {
                fields["body"] = json!(format!("Talked of {}", dice.u16(..)));
                if dice.bool() {
                    let of = [Kind::Opportunity, Kind::Lead, Kind::Contact, Kind::Company];
                    let targets = of.into_iter().filter_map(|kind| self.book.pick(dice, kind));
                    let targets: Vec<String> =
                        targets.map(|known| known.kind.id(known.id)).collect();
                    let some = dice.usize(..=targets.len());
                    fields["targetIds"] = json!(targets[..some]);
                }
            }
        }
        fields
    }

    pub(super) fn stage(&self, dice: &mut fastrand::Rng) -> Json {
        let pipelines = &self.tenant.pipelines;
        let stages = &pipelines[usize::from(dice.u8(..4) == 0)].stages;
        json!(format!("stage:{}", stages[dice.usize(..stages.len())]))
    }

    pub(super) fn person(&self, person: usize) -> Json {
        json!(format!("user:{}", self.tenant.people[person].sight.user))
    }
}
