//! Inventing who works at a company.

use std::{collections::HashSet, ops::RangeInclusive};

use super::{
    dice::Dice,
    names::{CHIEFS, JOBS, Job, address, domain},
    world::{World, owned_by, shifted},
};
use crate::{
    base::ids::{ContactId, Typed as _},
    crm::{
        companies::NewCompany,
        contacts::{ContactFields, ContactMethodKind, NewContact, NewContactMethod},
    },
};

/// Gives a company what its website would say.
pub(super) fn flesh_out_company(world: &World, company: &mut NewCompany) {
    let mut dice = Dice::of(company.id.uuid());
    let domain = domain(&company.fields.name);
    company.fields.website = Some(format!("https://www.{domain}"));
    company.fields.domain = Some(domain);
    company.fields.phone = Some(world.names.phone(&mut dice));
    if dice.chance(20) {
        company
            .fields
            .tags
            .push((*dice.pick(&["Key account", "Partner", "Reference"])).to_owned());
    }
}

/// Some people of a company, so many of them (at most 13), the chief first and bosses before those who report to them.
pub(super) fn of_company(
    world: &World,
    company: &NewCompany,
    count: &RangeInclusive<u32>,
) -> Vec<NewContact> {
    let mut dice = Dice::of(company.id.uuid());
    let count = dice.number(*count.start(), *count.end());
    let mut jobs = vec![*dice.pick(CHIEFS)];
    while jobs.len() < count as usize {
        let job = dice.pick(JOBS);
        if !jobs.contains(job) {
            jobs.push(*job);
        }
    }
    jobs.sort_by_key(|(_, department, leads)| (*department != "Management" || !leads, !leads));

    let mut called = HashSet::new();
    let mut staff: Vec<(NewContact, Job)> = Vec::with_capacity(jobs.len());
    for job in jobs {
        let name = std::iter::repeat_with(|| world.names.person(&mut dice))
            .find(|name| called.insert(*name));
        let Some(name) = name else { break };
        let boss = staff
            .iter()
            .rev()
            .find(|(_, (_, department, leads))| *leads && *department == job.1);
        let boss = boss.or(staff.first()).map(|(boss, _)| boss.id);
        staff.push((contact(world, company, name, job, boss), job));
    }
    staff.into_iter().map(|(contact, _)| contact).collect()
}

fn contact(
    world: &World,
    company: &NewCompany,
    (first, last): (&str, &str),
    (title, department, _): Job,
    boss: Option<ContactId>,
) -> NewContact {
    let id: ContactId = world.ids.of(&format!("{}/{first} {last}", company.id));
    let mut dice = Dice::of(id.uuid());
    let email = address(
        (first, last),
        company
            .fields
            .domain
            .as_deref()
            .unwrap_or("company.example"),
    );
    let mut methods = vec![method(ContactMethodKind::Email, email, "work")];
    if dice.chance(85) {
        methods.push(method(
            ContactMethodKind::Phone,
            world.names.phone(&mut dice),
            "office",
        ));
    }
    if dice.chance(50) {
        methods.push(method(
            ContactMethodKind::Mobile,
            world.names.phone(&mut dice),
            "mobile",
        ));
    }
    if dice.chance(10) {
        methods.push(method(
            ContactMethodKind::Email,
            address((first, last), "mail.example"),
            "private",
        ));
    }
    let warmness = dice.weighted(&[(30, 10), (35, 35), (25, 60), (10, 80)]) + dice.number(0, 20);
    let fields = ContactFields {
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        job_title: Some(title.to_owned()),
        department: Some(department.to_owned()),
        company_id: Some(company.id),
        reports_to_id: boss,
        warmness_score: warmness.min(100) as i16,
        last_contacted_at: None,
        tags: if dice.chance(12) {
            vec![(*dice.pick(&["Newsletter", "Event guest", "VIP"])).to_owned()]
        } else {
            Vec::new()
        },
        ownership: owned_by(company.fields.ownership.owner_id),
    };
    let since = company
        .created_at
        .map(|at| shifted(at.date_naive(), dice.number(0, 60).into()));
    NewContact {
        id,
        fields,
        methods,
        created_at: since.map(|date| dice.office_hour(date).min(world.now)),
    }
}

fn method(kind: ContactMethodKind, value: String, label: &str) -> NewContactMethod {
    NewContactMethod {
        id: None,
        kind,
        value,
        label: Some(label.to_owned()),
        preferred: false,
        opted_out_at: None,
    }
}
