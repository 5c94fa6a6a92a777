//! The keys that tokens are signed with and checked by; each key has one algorithm, fixed here and not by a token.

use std::{collections::HashMap, path::Path};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

/// Why keys could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The folder or a file in it can't be read or written.
    #[error("can't use the key file {path}")]
    File {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is no Ed25519 private key.
    #[error("{path} is not an Ed25519 private key in PKCS#8 PEM form")]
    NotAKey {
        /// Which one.
        path: String,
    },
    /// There is nothing to sign or check with.
    #[error("no signing key: put an Ed25519 private key named <kid>.pem into the key folder")]
    None,
}

/// A key that checks tokens, with the only algorithm it is used for.
pub(super) struct CheckingKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// All keys, by key id; the last private one by name signs.
pub struct Keys {
    pub(super) checking: HashMap<String, CheckingKey>,
    pub(super) signing: Option<(String, EncodingKey)>,
}

impl Keys {
    /// Reads `<kid>.pem` files (Ed25519, PKCS#8) from a folder, or one such file; the last by name signs, all check.
    /// With `hs256_secret` tokens signed with it under the key id `hs256` are accepted too.
    ///
    /// # Errors
    /// [`KeyError`] when a file is unreadable or no key, or there is none.
    pub fn from_folder(folder: &Path, hs256_secret: Option<&[u8]>) -> Result<Self, KeyError> {
        let file_error = |path: &Path| {
            let path = path.display().to_string();
            move |source| KeyError::File { path, source }
        };
        let mut paths: Vec<_> = if folder.is_file() {
            vec![folder.to_owned()]
        } else {
            std::fs::read_dir(folder)
                .map_err(file_error(folder))?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|ending| ending == "pem"))
                .collect()
        };
        paths.sort();

        let mut checking = HashMap::new();
        let mut signing = None;
        for path in paths {
            let Some(kid) = path.file_stem().and_then(|stem| stem.to_str()) else {
                continue;
            };
            let pem = std::fs::read_to_string(&path).map_err(file_error(&path))?;
            let not_a_key = || KeyError::NotAKey {
                path: path.display().to_string(),
            };
            let (public, private) = ed25519(&pem).ok_or_else(not_a_key)?;
            checking.insert(kid.to_owned(), public);
            signing = Some((kid.to_owned(), private));
        }
        if signing.is_none() {
            return Err(KeyError::None);
        }
        if let Some(secret) = hs256_secret {
            checking.extend(Self::hs256(secret).checking);
        }
        Ok(Self { checking, signing })
    }

    /// Accepts tokens signed with a shared secret (HS256, key id `hs256`) and makes none.
    #[must_use]
    pub fn hs256(secret: &[u8]) -> Self {
        let key = CheckingKey {
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret),
        };
        Self {
            checking: HashMap::from([("hs256".to_owned(), key)]),
            signing: None,
        }
    }

    /// Makes a key file when the folder has none; for development clusters.
    ///
    /// # Errors
    /// [`KeyError::File`] when the folder can't be written.
    pub fn ensure_in(folder: &Path) -> Result<(), KeyError> {
        let error = |source| KeyError::File {
            path: folder.display().to_string(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(error)?;
        let path = folder.join("dev-1.pem");
        if path.exists() {
            return Ok(());
        }
        let pair =
            Ed25519KeyPair::generate().map_err(|e| error(std::io::Error::other(e.to_string())))?;
        let document = pair
            .to_pkcs8v1()
            .map_err(|e| error(std::io::Error::other(e.to_string())))?;
        let body = general_purpose::STANDARD.encode(document.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        write_private(&path, &pem).map_err(error)
    }
}

fn ed25519(pem: &str) -> Option<(CheckingKey, EncodingKey)> {
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = general_purpose::STANDARD.decode(body).ok()?;
    let pair = Ed25519KeyPair::from_pkcs8(&der).ok()?;
    let x = general_purpose::URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let key = DecodingKey::from_ed_components(&x).ok()?;
    Some((
        CheckingKey {
            algorithm: Algorithm::EdDSA,
            key,
        },
        EncodingKey::from_ed_der(&der),
    ))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
