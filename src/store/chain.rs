//! The hash chain over an incident's history, pure.
//!
//! `commitment = SHA-256(salt ‖ payload)` and `hash_n = SHA-256(hash_{n-1} ‖ canonical(incident, seq, at, recorded_at,
//! kind, commitment))`. The chain holds commitments, not texts: a text can be erased with its salt, the chain still
//! verifies, and nobody can guess the text from what is left.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::ids::{IncidentId, Seq};

/// What the first entry of every incident is linked to.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Tells this chain from any other use of the same hash, and its next version from this one.
const DOMAIN: &[u8] = b"firebell history 1\n";

/// The facts of an entry that the chain makes unchangeable.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub incident: IncidentId,
    pub seq: Seq,
    pub at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub kind: &'a str,
    /// As [`commit`] made it.
    pub commitment: &'a str,
}

/// The commitment to a payload, 64 hex digits.
#[must_use]
pub fn commit(salt: &str, payload: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(salt.as_bytes());
    hash.update(payload.as_bytes());
    digits(&hash.finalize())
}

/// The hash of an entry that follows one with the hash `prev`, 64 hex digits.
#[must_use]
pub fn link(prev: &str, facts: &Facts<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    for text in [prev, facts.kind, facts.commitment] {
        // Lengths first, or the end of one text could pass for the start of the next.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(facts.incident.0.to_be_bytes());
    hash.update(facts.seq.to_be_bytes());
    hash.update(facts.at.timestamp_micros().to_be_bytes());
    hash.update(facts.recorded_at.timestamp_micros().to_be_bytes());
    digits(&hash.finalize())
}

/// What `hex::encode` gives, in a third of its time: it collects single characters.
fn digits(hash: &[u8]) -> String {
    let mut digits = vec![0; hash.len() * 2];
    hex::encode_to_slice(hash, &mut digits).expect("two digits a byte");
    String::from_utf8(digits).expect("digits are ASCII")
}

/// A history as it should be: entries 1 to `entries`, linked to `head`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub entries: u32,
    pub head: String,
}

/// The first entry that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {why}")]
pub struct Broken {
    pub seq: Seq,
    pub why: &'static str,
}

/// An entry as it is stored; without payload and salt if its text was erased.
#[derive(Clone, Debug)]
pub struct Stored {
    pub seq: Seq,
    pub at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub kind: String,
    pub payload: Option<String>,
    pub salt: Option<String>,
    pub commitment: String,
    pub hash: String,
}

/// Follows the chain through `entries`, which are in order of `seq`, and compares its end with what the incident's own
/// row says, without which a cut tail would go unseen.
pub fn verify(incident: IncidentId, entries: &[Stored], last_seq: Seq, head: &str) -> Result<Verified, Broken> {
    let mut prev = GENESIS.to_owned();
    let mut expected: Seq = 0;
    for entry in entries {
        expected += 1;
        if entry.seq != expected {
            return Err(Broken { seq: expected, why: "it is missing" });
        }
        if expected > last_seq {
            return Err(Broken { seq: expected, why: "it is beyond the end that the incident knows" });
        }
        let broken = |why| Err(Broken { seq: expected, why });
        match (&entry.payload, &entry.salt) {
            (Some(payload), Some(salt)) if commit(salt, payload) != entry.commitment => {
                return broken("its content is not what was committed to");
            }
            (Some(_), Some(_)) | (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return broken("it is only half erased"),
        }
        let facts = Facts {
            incident,
            seq: entry.seq,
            at: entry.at,
            recorded_at: entry.recorded_at,
            kind: &entry.kind,
            commitment: &entry.commitment,
        };
        if link(&prev, &facts) != entry.hash {
            return broken("it does not follow from the entry before");
        }
        prev.clone_from(&entry.hash);
    }
    if expected < last_seq {
        return Err(Broken { seq: expected + 1, why: "it is missing" });
    }
    if prev != head {
        return Err(Broken { seq: last_seq, why: "its hash is not the one that the incident knows" });
    }
    Ok(Verified { entries: expected, head: prev })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(kind: &'a str, commitment: &'a str) -> Facts<'a> {
        let at = DateTime::from_timestamp(1_700_000_000, 5_000).expect("in range");
        Facts { incident: IncidentId(7), seq: 1, at, recorded_at: at, kind, commitment }
    }

    #[test]
    fn the_hash_of_a_known_entry_never_changes() {
        let commitment = commit("5a17", r#"{"text":"db is down"}"#);
        assert_eq!(commitment, "610e7131136d458a01158a44a1cbb79b9d28cad5dc17fb2bae3b11afc63784fe");
        let hash = link(GENESIS, &facts("noted", &commitment));
        assert_eq!(hash, "e13af7834a6541d8ab5deb1fbc6fc7e70bdc2bf32f1b4780b9ef554d83038dfa");
    }

    #[test]
    fn moving_a_letter_from_one_part_to_the_next_changes_the_hash() {
        assert_ne!(link(GENESIS, &facts("ab", "c")), link(GENESIS, &facts("a", "bc")));
        assert_ne!(link("ab", &facts("c", "")), link("a", &facts("bc", "")));
    }

    #[test]
    fn every_fact_is_in_the_hash() {
        let base = facts("noted", "c");
        let later = base.at + chrono::TimeDelta::microseconds(1);
        let hashes = [
            link(GENESIS, &base),
            link(GENESIS, &Facts { incident: IncidentId(8), ..base }),
            link(GENESIS, &Facts { seq: 2, ..base }),
            link(GENESIS, &Facts { at: later, ..base }),
            link(GENESIS, &Facts { recorded_at: later, ..base }),
            link(GENESIS, &Facts { kind: "opened", ..base }),
            link(GENESIS, &Facts { commitment: "d", ..base }),
        ];
        let different: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(different.len(), hashes.len());
    }
}
