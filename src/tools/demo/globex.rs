//! The tenant `globex`: invented as a whole, with other names and another currency, so that nobody takes its
//! records for the other tenant's.

use std::ops::RangeInclusive;

use super::{
    dice::Dice,
    load::{self, Ground},
    names::EUROPEAN,
    people,
    world::{World, owned_by, shifted},
};
use crate::{
    access::Role,
    base::ids::{CompanyId, OpportunityId, TeamId, Typed as _, UserId},
    crm::{
        companies::{CompanyFields, NewCompany},
        opportunities::{NewOpportunity, OpportunityFields, StageVisit},
        pipelines::{NewPipeline, NewStage, StageKind},
        products::{NewProduct, ProductFields},
    },
    data::import::{Ids, ImportError, Session, maven::instant},
    db::{Db, SystemReason},
    organization::members::provision::{self, NewMember, NewTeam, NewTenant, segment},
    platform::Progress,
};

const SLUG: &str = "globex";
const CURRENCY: &str = "EUR";
const DEALS: u32 = 300;
const LEADS: usize = 150;
const STAFF: RangeInclusive<u32> = 4..=6;

/// Name, industry, country, city, year founded, employees, yearly revenue in millions of EUR.
type Firm = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    i16,
    i32,
    i64,
);

#[rustfmt::skip] // a table
const FIRMS: &[Firm] = &[
    ("Aurum Optik", "optics", "Germany", "Jena", 1991, 420, 88),
    ("Bläser & Sohn", "machinery", "Germany", "Esslingen", 1954, 1_150, 310),
    ("Bretagne Conserves", "food", "France", "Quimper", 1962, 780, 195),
    ("Cantieri Adriatici", "shipbuilding", "Italy", "Ancona", 1978, 2_300, 640),
    ("Dolomit Sport", "textiles", "Italy", "Bolzano", 1985, 310, 71),
    ("Elbtal Papier", "paper", "Germany", "Pirna", 1948, 540, 160),
    ("Ferro Ibérica", "metals", "Spain", "Bilbao", 1969, 1_800, 520),
    ("Fjellheim Energi", "energy", "Norway", "Bergen", 2001, 260, 145),
    ("Gdynia Marine", "shipbuilding", "Poland", "Gdynia", 1994, 960, 175),
    ("Glasværket", "glass", "Denmark", "Aarhus", 1971, 190, 42),
    ("Helvetia Präzision", "machinery", "Switzerland", "Biel", 1938, 670, 240),
    ("Hoogland Zuivel", "food", "Netherlands", "Zwolle", 1983, 450, 205),
    ("Isar Medizintechnik", "medical", "Germany", "Munich", 1999, 380, 96),
    ("Jura Horlogerie", "watches", "Switzerland", "Le Locle", 1921, 240, 118),
    ("Karpaty Meble", "furniture", "Poland", "Krosno", 1989, 1_400, 130),
    ("Lumière du Nord", "lighting", "France", "Lille", 1976, 520, 99),
    ("Moldau Keramik", "ceramics", "Czechia", "Plzeň", 1958, 610, 84),
    ("Nordsee Logistik", "logistics", "Germany", "Bremerhaven", 1987, 2_050, 390),
    ("Olivar del Sur", "food", "Spain", "Jaén", 1966, 330, 77),
    ("Porto Cortiça", "materials", "Portugal", "Porto", 1932, 470, 91),
    ("Rhône Chimie", "chemicals", "France", "Lyon", 1951, 1_650, 705),
    ("Skåne Plast", "plastics", "Sweden", "Malmö", 1980, 290, 63),
    ("Tauern Holz", "timber", "Austria", "Salzburg", 1965, 350, 82),
    ("Vltava Motors", "automotive", "Czechia", "Mladá Boleslav", 1992, 2_700, 880),
    ("Wexford Pharma", "medical", "Ireland", "Wexford", 2004, 430, 215),
];

/// Code, name, price in EUR; what is priced for each customer has none.
const PRODUCTS: &[(&str, &str, Option<i64>)] = &[
    ("PL-200", "Packaging line PL 200", Some(184_000)),
    ("IC-40", "Inspection cell IC 40", Some(62_500)),
    ("SR-8", "Sensor retrofit kit", Some(7_900)),
    ("LC-1", "Line control licence", Some(2_400)),
    ("SP-BOX", "Spare parts box", Some(1_250)),
    ("CAL-Y", "Calibration contract, a year", Some(3_600)),
    ("PILOT", "Pilot installation", None),
];

/// First the manager, then who reports to them.
const TEAMS: &[(&str, &[&str])] = &[
    (
        "Field Sales",
        &[
            "Henrike Falk",
            "Matteo Conti",
            "Solveig Berg",
            "Jakub Malý",
            "Inès Roche",
            "Piet Smit",
        ],
    ),
    (
        "Customer Success",
        &["Tomás Ferreira", "Léa Girard", "Oskar Nyman", "Zofia Król"],
    ),
];

const NEW_BUSINESS: &[&str] = &[
    "Packaging line",
    "Sensor retrofit",
    "Pilot installation",
    "Inspection cell",
    "Line control",
    "Spare parts stock",
];
const RENEWALS: &[&str] = &[
    "Maintenance renewal",
    "Licence renewal",
    "Support plan",
    "Calibration contract",
];

pub(super) async fn load(db: &Db, progress: &Progress) -> Result<(), ImportError> {
    let tenant = NewTenant {
        id: Ids::tenant(SLUG),
        slug: SLUG.to_owned(),
        name: "Globex".to_owned(),
        base_currency: CURRENCY.to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        locale: "de-DE".to_owned(),
    };
    let ids = Ids::new(tenant.id, "demo");
    let (teams, members) = staff(ids);
    people::provision(db, &tenant, &teams).await?;
    let mut tx = db.system(SystemReason::Provisioning).await?;
    provision::members(&mut tx, tenant.id, &members).await?;
    tx.commit().await?;
    let session = Session::open(db, SLUG, "demo", progress.clone()).await?;
    let reps = members
        .iter()
        .filter(|member| member.role == Role::SalesRep)
        .map(|member| member.user)
        .collect();
    let world = World {
        ids,
        now: db.clock().now(),
        names: &EUROPEAN,
        currency: CURRENCY,
        reps,
    };
    let pipelines = pipelines(ids);
    let companies: Vec<NewCompany> = FIRMS.iter().map(|firm| company(&world, firm)).collect();
    let deals = (0..DEALS)
        .map(|number| deal(&world, &companies, &pipelines, number))
        .collect();
    let ground = Ground {
        pipelines,
        products: PRODUCTS.iter().map(|row| product(&world, row)).collect(),
        companies: vec![companies],
        deals,
        staff: STAFF,
        leads: LEADS,
    };
    load::load(&world, ground, &session, &session).await
}

fn staff(ids: Ids) -> (Vec<NewTeam>, Vec<NewMember>) {
    let root: TeamId = ids.of("Sales");
    let mut teams = vec![NewTeam {
        id: root,
        name: "Sales".to_owned(),
        parent: None,
        path: segment(root),
    }];
    let mut members = Vec::new();
    for (name, people) in TEAMS {
        let id: TeamId = ids.of(name);
        let path = segment(root) + &segment(id);
        let team = NewTeam {
            id,
            name: (*name).to_owned(),
            parent: Some(root),
            path,
        };
        for (place, name) in people.iter().enumerate() {
            let (first, last) = name.split_once(' ').unwrap_or((name, ""));
            let email = super::names::address((first, last), "globex.example");
            let role = if place == 0 {
                Role::Manager
            } else {
                Role::SalesRep
            };
            let user = Ids::person(&email);
            members.push(NewMember {
                user,
                email,
                name: (*name).to_owned(),
                role,
                team: Some(team.clone()),
            });
        }
        teams.push(team);
    }
    (teams, members)
}

fn pipelines(ids: Ids) -> Vec<NewPipeline> {
    let pipeline = |name: &str, stages: &[(&str, StageKind, i16, Option<i32>)]| NewPipeline {
        id: ids.of(name),
        name: name.to_owned(),
        preferred: false,
        stages: stages
            .iter()
            .map(|(stage, kind, probability, rotten_after_days)| NewStage {
                id: ids.of(&format!("{name}/{stage}")),
                name: (*stage).to_owned(),
                kind: *kind,
                probability: *probability,
                rotten_after_days: *rotten_after_days,
            })
            .collect(),
    };
    vec![
        pipeline(
            "New business",
            &[
                ("Qualification", StageKind::Open, 10, Some(21)),
                ("Demo", StageKind::Open, 30, Some(30)),
                ("Proposal", StageKind::Open, 60, Some(30)),
                ("Negotiation", StageKind::Open, 80, Some(21)),
                ("Won", StageKind::Won, 100, None),
                ("Lost", StageKind::Lost, 0, None),
            ],
        ),
        pipeline(
            "Renewals",
            &[
                ("Coming up", StageKind::Open, 50, Some(60)),
                ("In talks", StageKind::Open, 75, Some(30)),
                ("Renewed", StageKind::Won, 100, None),
                ("Churned", StageKind::Lost, 0, None),
            ],
        ),
    ]
}

fn product(world: &World, (code, name, price): &(&str, &str, Option<i64>)) -> NewProduct {
    let fields = ProductFields {
        unit_price_minor: price.map(|euros| euros * 100),
        unit_price_currency: price.map(|_| CURRENCY.to_owned()),
        ..ProductFields::new((*name).to_owned(), (*code).to_owned())
    };
    NewProduct {
        id: world.ids.of(code),
        fields,
        // All of them before the first customer.
        created_at: Some(instant(world.day(-920), 9)),
    }
}

fn company(
    world: &World,
    (name, industry, country, city, founded, employees, millions): &Firm,
) -> NewCompany {
    let id: CompanyId = world.ids.of(name);
    let mut dice = Dice::of(id.uuid());
    let fields = CompanyFields {
        name: (*name).to_owned(),
        industry: Some((*industry).to_owned()),
        country: Some((*country).to_owned()),
        city: Some((*city).to_owned()),
        founded_year: Some(*founded),
        employee_count: Some(*employees),
        annual_revenue_minor: Some(millions * 100_000_000),
        annual_revenue_currency: Some(CURRENCY.to_owned()),
        ownership: owned_by(Some(*dice.pick(&world.reps))),
        ..Default::default()
    };
    NewCompany {
        id,
        fields,
        created_at: Some(dice.moment(world.day(-900), world.day(-560))),
    }
}

fn deal(
    world: &World,
    companies: &[NewCompany],
    pipelines: &[NewPipeline],
    number: u32,
) -> NewOpportunity {
    let id: OpportunityId = world.ids.of(&number.to_string());
    let mut dice = Dice::of(id.uuid());
    let company = dice.pick(companies);
    let (pipeline, things, (least, most)) = dice.weighted(&[
        (70, (&pipelines[0], NEW_BUSINESS, (50, 2_500))),
        (30, (&pipelines[1], RENEWALS, (20, 600))),
    ]);
    let path = path(world, pipeline, &mut dice);
    let closed = path
        .last()
        .is_some_and(|visit| is_closing(pipeline, visit))
        .then(|| path[path.len() - 1].entered_at);
    let thing = *dice.pick(things);
    let owner: Option<UserId> = if dice.chance(70) {
        company.fields.ownership.owner_id
    } else {
        Some(*dice.pick(&world.reps))
    };
    let fields = OpportunityFields {
        name: format!("{}: {thing}", company.fields.name),
        amount_minor: Some(i64::from(dice.number(least, most)) * 10_000),
        amount_currency: Some(CURRENCY.to_owned()),
        expected_close_on: closed.map(|at| at.date_naive()),
        company_id: Some(company.id),
        tags: vec![thing.to_owned()],
        ownership: owned_by(owner),
        ..Default::default()
    };
    NewOpportunity {
        id,
        fields,
        stage_id: path[path.len() - 1].stage_id,
        probability: None,
        created_at: Some(path[0].entered_at),
        path,
        contacts: Vec::new(),
        users: Vec::new(),
        lost_reason: None,
        next_action: None,
        last_activity_at: None,
    }
}

/// From the first stage on, as far as the deal came until now.
fn path(world: &World, pipeline: &NewPipeline, dice: &mut Dice) -> Vec<StageVisit> {
    let of_kind = |kind| {
        pipeline
            .stages
            .iter()
            .filter(move |stage| stage.kind == kind)
    };
    let open: Vec<_> = of_kind(StageKind::Open).collect();
    let (ending, least) = dice.weighted(&[
        (45, (Some(StageKind::Won), open.len())),
        (30, (Some(StageKind::Lost), 1)),
        (25, (None, 1)),
    ]);
    let visited = dice.number(least as u32, open.len() as u32) as usize;
    let stages = open
        .into_iter()
        .take(visited)
        .chain(ending.and_then(|kind| of_kind(kind).next()));
    // Deals that are still open began lately.
    let oldest = if ending.is_some() { -540 } else { -120 };
    let mut at = dice.moment(world.day(oldest), world.day(-1));
    let mut path = Vec::new();
    for stage in stages {
        if at > world.now && !path.is_empty() {
            break;
        }
        path.push(StageVisit {
            stage_id: stage.id,
            entered_at: at,
        });
        let days = dice.number(3, 28);
        at = dice.office_hour(shifted(at.date_naive(), days.into()));
    }
    path
}

fn is_closing(pipeline: &NewPipeline, visit: &StageVisit) -> bool {
    pipeline
        .stages
        .iter()
        .any(|stage| stage.id == visit.stage_id && stage.kind != StageKind::Open)
}
