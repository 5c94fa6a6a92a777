//! What invented people are called, where they are reached, and what they do.

use super::dice::Dice;

/// The names of a part of the world.
pub(super) struct Names {
    pub(super) first: &'static [&'static str],
    pub(super) last: &'static [&'static str],
    /// Beginnings of phone numbers that nobody has, each with how many digits are to follow.
    pub(super) phones: &'static [(&'static str, usize)],
    /// Companies that leads work for: a word, and what follows it.
    pub(super) firms: (&'static [&'static str], &'static [&'static str]),
}

impl Names {
    pub(super) fn person(&self, dice: &mut Dice) -> (&'static str, &'static str) {
        (*dice.pick(self.first), *dice.pick(self.last))
    }

    pub(super) fn phone(&self, dice: &mut Dice) -> String {
        let (start, digits) = *dice.pick(self.phones);
        let number = dice.number(0, 10_u32.pow(digits as u32) - 1);
        format!("{start}{number:0digits$}")
    }

    pub(super) fn firm(&self, dice: &mut Dice) -> String {
        format!("{} {}", dice.pick(self.firms.0), dice.pick(self.firms.1))
    }
}

/// `Gekko & Co` -> `gekko-co.example`, a domain that nobody can own.
pub(super) fn domain(company: &str) -> String {
    let dashed: String = company
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    format!("{}.example", words.join("-"))
}

/// `Chloé Van Dyke` at a domain -> `chloe.van-dyke@…`, without marks on letters.
pub(super) fn address((first, last): (&str, &str), domain: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    let plain = |name: &str| -> String {
        let letters = name
            .nfd()
            .filter(|c| c.is_ascii_alphabetic() || matches!(c, ' ' | '-'));
        letters
            .map(|c| {
                if c == ' ' {
                    '-'
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect()
    };
    format!("{}.{}@{domain}", plain(first), plain(last))
}

/// A job: title, department, and whether others of the department report to it.
pub(super) type Job = (&'static str, &'static str, bool);

/// Who runs a company; everyone in it reports there in the end.
pub(super) const CHIEFS: &[Job] = &[
    ("Chief Executive Officer", "Management", true),
    ("Managing Director", "Management", true),
    ("President", "Management", true),
];

/// Who else a seller meets, those who lead a department first.
pub(super) const JOBS: &[Job] = &[
    ("Chief Financial Officer", "Finance", true),
    ("VP Procurement", "Procurement", true),
    ("Head of IT", "IT", true),
    ("VP Operations", "Operations", true),
    ("Purchasing Manager", "Procurement", false),
    ("Category Buyer", "Procurement", false),
    ("IT Manager", "IT", false),
    ("Systems Administrator", "IT", false),
    ("Controller", "Finance", false),
    ("Operations Manager", "Operations", false),
    ("Plant Manager", "Operations", false),
    ("Office Manager", "Management", false),
];

/// The names around the tenant `maven`.
#[rustfmt::skip] // one name per line would be hundreds of lines
pub(super) static AMERICAN: Names = Names {
    first: &[
        "Adele", "Alton", "Amara", "Angus", "Beatriz", "Bernard", "Blanche", "Brent", "Camille", "Carlton", "Celeste",
        "Clarence", "Colleen", "Curtis", "Daphne", "Darnell", "Denise", "Dexter", "Edith", "Edwin", "Eloise", "Emmett",
        "Esther", "Felix", "Fern", "Floyd", "Gail", "Gordon", "Greta", "Harriet", "Hector", "Helena", "Homer", "Imani",
        "Irene", "Ivan", "Jasmine", "Jerome", "Joanne", "Julian", "Kareem", "Katrina", "Kirk", "Lamar", "Leona",
        "Leroy", "Lorena", "Lucius", "Mabel", "Marcus", "Marisol", "Milton", "Miriam", "Nadine", "Neville", "Noelle",
        "Octavia", "Orville", "Pamela", "Percy", "Priya", "Quentin", "Ramona", "Regina", "Rufus", "Sabrina", "Selma",
        "Sheldon", "Sylvia", "Tamara", "Terrence", "Ursula", "Vernon", "Wanda", "Wesley", "Yolanda",
    ],
    last: &[
        "Abernathy", "Alvarado", "Ashby", "Barlow", "Beckett", "Bledsoe", "Bradshaw", "Caldwell", "Castillo", "Chandler",
        "Cheng", "Compton", "Crandall", "Dalton", "Delaney", "Dunlap", "Eastman", "Ellison", "Fairbanks", "Fletcher",
        "Fontaine", "Gallagher", "Goldberg", "Granger", "Guerrero", "Hadley", "Hargrove", "Holloway", "Hutchins",
        "Ibarra", "Ingram", "Jacobson", "Jefferies", "Kapoor", "Kendrick", "Kowalski", "Lancaster", "Lindgren", "Lowery",
        "Maddox", "Mercer", "Montoya", "Nakamura", "Norwood", "Oconnell", "Osborne", "Pacheco", "Pemberton", "Prescott",
        "Quinlan", "Ramsey", "Rinehart", "Rosario", "Sandoval", "Sheffield", "Stanton", "Sutherland", "Talbot",
        "Thornton", "Underhill", "Valdez", "Vaughn", "Wakefield", "Whitaker", "Winslow", "Yates", "Zimmerman",
    ],
    phones: &[
        ("+1 212 555 01", 2), ("+1 303 555 01", 2), ("+1 312 555 01", 2), ("+1 415 555 01", 2), ("+1 512 555 01", 2),
        ("+1 617 555 01", 2), ("+1 702 555 01", 2), ("+1 808 555 01", 2),
    ],
    firms: (
        &[
            "Bluestone", "Cedar Ridge", "Clearwater", "Copperfield", "Eastgate", "Fairview", "Granite", "Harborlight",
            "Ironwood", "Lakeshore", "Meadowbrook", "Northstar", "Oakline", "Pinecrest", "Quarry Hill", "Redwood",
            "Silverlake", "Summit", "Timberline", "Westfield",
        ],
        &["Logistics", "Medical", "Foods", "Media", "Staffing", "Outfitters", "Labs", "Capital", "Supply", "Systems"],
    ),
};

/// The names around the tenant `globex`.
#[rustfmt::skip] // one name per line would be hundreds of lines
pub(super) static EUROPEAN: Names = Names {
    first: &[
        "Agnieszka", "Anneke", "Anselm", "Astrid", "Benedikt", "Bjørn", "Carmen", "Chloé", "Dagmar", "Dimitri", "Eilidh",
        "Elio", "Emil", "Fabienne", "Florian", "Gerda", "Gianluca", "Hanneke", "Henrik", "Ilse", "Ingrid", "Jürgen",
        "Katarzyna", "Lasse", "Ludovic", "Maeve", "Marek", "Mathilde", "Niamh", "Ottavia", "Pascal", "Ragnhild",
        "Roisin", "Sofie", "Stefanos", "Tadeusz", "Thérèse", "Ulrich", "Vasilis", "Wiebke", "Xavier", "Yannick",
    ],
    last: &[
        "Achterberg", "Andersson", "Bergström", "Bianchi", "Brunner", "Carvalho", "Dąbrowski", "De Vries", "Eriksen",
        "Esposito", "Fournier", "Gallo", "Grünwald", "Haugen", "Huber", "Jansen", "Keane", "Kraus", "Lefèvre",
        "Lindqvist", "Marchetti", "Moreau", "Nilsen", "Novák", "Ó Briain", "Papadakis", "Pettersen", "Rossi", "Schäfer",
        "Schulze", "Silva", "Steiner", "Tanguy", "Van Dyck", "Vogel", "Wójcik", "Zanetti", "Zieliński",
    ],
    phones: &[("+49 30 23125 ", 3), ("+33 1 99 00 ", 4), ("+44 20 7946 0", 3)],
    firms: (
        &[
            "Alpenblick", "Baltica", "Bellevue", "Côte Sud", "Danubia", "Eisvogel", "Fjordland", "Grünfeld", "Iberia",
            "Lakeland", "Mistral", "Nordwind", "Rheingold", "Strandvejen", "Terranova", "Vesuvio",
        ],
        &["Werke", "Medizintechnik", "Optik", "Textil", "Möbel", "Brauerei", "Antriebe", "Papier"],
    ),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain() {
        assert_eq!(domain("Gekko & Co"), "gekko-co.example");
        assert_eq!(
            address(("Chloé", "Van Dyck"), "x.example"),
            "chloe.van-dyck@x.example"
        );
        assert_eq!(
            address(("Roisin", "Ó Briain"), "x.example"),
            "roisin.o-briain@x.example"
        );
    }

    #[test]
    fn the_two_tenants_share_no_name() {
        let shared = |a: &[&str], b: &[&str]| a.iter().any(|name| b.contains(name));
        assert!(!shared(AMERICAN.first, EUROPEAN.first) && !shared(AMERICAN.last, EUROPEAN.last));
    }
}
