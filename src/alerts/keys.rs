//! Who may send alerts. A key is kept as its SHA-256 only, and compared in constant time; it is never shown or logged.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::Kind;
use crate::ids::IntegrationKey;

/// Fewest characters of a key: 128 bits in hexadecimal. Ours have 64 (256 bits).
pub const KEY_CHARS_MIN: usize = 32;

/// An integration that may send alerts. Several keys are valid at once, so that one can be changed without a gap.
#[derive(Clone)]
pub struct Integration {
    pub key: IntegrationKey,
    pub kind: Kind,
    /// SHA-256 of each valid key.
    pub secret_sha256s: Vec<[u8; 32]>,
}

impl fmt::Debug for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Integration({}, {}, {} keys)", self.key, self.kind, self.secret_sha256s.len())
    }
}

/// All integrations.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Integration>);

impl Keys {
    pub fn new(integrations: Vec<Integration>) -> Self {
        Self(integrations)
    }

    /// The integration that a presented key belongs to. Takes the same time whichever key matches, or none.
    pub fn find(&self, presented: &str) -> Option<&Integration> {
        let digest = digest(presented);
        let mut found = 0_u32;
        for (position, integration) in (1_u32..).zip(&self.0) {
            for known in &integration.secret_sha256s {
                let same: Choice = known.as_slice().ct_eq(digest.as_slice());
                found.conditional_assign(&position, same);
            }
        }
        let index = usize::try_from(found).ok()?.checked_sub(1)?;
        self.0.get(index)
    }
}

/// The form in which a key is kept.
pub fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integration(key: &str, secrets: &[&str]) -> Integration {
        let secret_sha256s = secrets.iter().map(|secret| digest(secret)).collect();
        Integration { key: IntegrationKey::new(key), kind: Kind::Generic, secret_sha256s }
    }

    #[test]
    fn old_and_new_key_are_valid_while_a_key_is_being_changed() {
        let keys = Keys::new(vec![integration("a", &["one", "two"]), integration("b", &["three"])]);
        let found = |key| keys.find(key).map(|integration| integration.key.as_str());
        assert_eq!(found("one"), Some("a"));
        assert_eq!(found("two"), Some("a"));
        assert_eq!(found("three"), Some("b"));
        assert_eq!(found("four"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn nothing_is_accepted_without_integrations() {
        assert!(Keys::default().find("").is_none());
    }

    #[test]
    fn showing_an_integration_for_debugging_does_not_show_its_keys() {
        let shown = format!("{:?}", integration("a", &["one"]));
        assert_eq!(shown, "Integration(a, generic, 1 keys)");
    }
}
