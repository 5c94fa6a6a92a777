//! The mails that people are sent. Nothing that a client typed stands in a mail, so that no spam can be sent through us.

use super::Settings;
use crate::platform::mail::{Message, letter};

/// To a new address that was registered.
pub(super) fn finish_registration(settings: &Settings, to: &str, token: &str) -> Message {
    letter(
        to,
        "Finish your registration",
        &[
            "Somebody registered at Dealgraph with this address. If it was you, finish it with the password you chose.",
            "If it was not you, ignore this mail: nothing happens without you.",
        ],
        Some((
            "Finish the registration (good for 24 hours, once)",
            &settings.link("verify-email", token),
        )),
    )
}

/// To a known address that was registered again.
pub(super) fn already_registered(settings: &Settings, to: &str) -> Message {
    letter(
        to,
        "You have an account already",
        &[
            "Somebody tried to register at Dealgraph with this address, which has an account already. If it was you, \
             sign in; if you forgot your password, ask for a new one there.",
            "If it was not you, ignore this mail: nothing was changed.",
        ],
        Some(("Sign in", settings.app_url.as_str())),
    )
}

/// To verify that an address is the person's.
pub(super) fn verify_email(settings: &Settings, to: &str, token: &str) -> Message {
    letter(
        to,
        "Confirm your e-mail address",
        &["Please confirm that this address is yours."],
        Some((
            "Confirm the address (good for 24 hours, once)",
            &settings.link("verify-email", token),
        )),
    )
}

/// To a person who forgot the password, or whose address another one typed.
pub(super) fn reset_password(settings: &Settings, to: &str, token: &str) -> Message {
    letter(
        to,
        "Choose a new password",
        &[
            "Somebody asked for a new password for your account at Dealgraph. If it was you, choose one.",
            "If it was not you, ignore this mail: your password stays as it is.",
        ],
        Some((
            "Choose a new password (good for one hour, once)",
            &settings.link("reset-password", token),
        )),
    )
}

/// Warns of repeated failed sign-ins.
pub(super) fn guessed(settings: &Settings, to: &str) -> Message {
    letter(
        to,
        "Somebody tries to sign in to your account",
        &[
            "Somebody has tried several times to sign in to your account at Dealgraph with a wrong password. They did \
             not get in, and have to wait longer after each try.",
            "If it was you, wait as long as the page says, or choose a new password if you forgot it. Where you are \
             signed in you stay so.",
            "If it was not you, nothing has to be done as long as your password is used nowhere else. We tell you at \
             most once a day.",
        ],
        Some(("Sign in", settings.app_url.as_str())),
    )
}

/// Notifies of a changed password, in case that it was not the person.
pub(super) fn password_changed(settings: &Settings, to: &str) -> Message {
    letter(
        to,
        "Your password was changed",
        &[
            "The password of your account at Dealgraph was changed, and all other devices were signed out.",
            "If it was not you, ask for a new password at once and tell your administrator.",
        ],
        Some(("Sign in", settings.app_url.as_str())),
    )
}
