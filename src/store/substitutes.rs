//! What is read in place of erased entries: copies in which a pseudonym stands for somebody who was made anonymous.
//!
//! The chain goes on over the commitment to the erased content and says nothing of the copies. For them vouches the entry
//! which says that somebody was made anonymous: it carries a sum over all copies that its incident had then.

use sha2::{Digest, Sha256};

use super::tx::{clean, execute, fetch_all};
use super::{Error, Tx, history};
use crate::ids::{IncidentId, Seq};

/// Erases an entry's content for good and has `payload` read in its place.
pub async fn replace(tx: &mut Tx, incident: IncidentId, seq: Seq, payload: &str) -> Result<(), Error> {
    history::erase(tx, incident, seq).await?;
    execute!(
        tx,
        "INSERT INTO substitutes (incident_id, seq, payload) VALUES ($1, $2, $3)
         ON CONFLICT (incident_id, seq) DO UPDATE SET payload = excluded.payload",
        incident.0,
        i64::from(seq),
        clean(payload),
    )?;
    Ok(())
}

/// The copies of an incident, in order of their entries.
pub async fn of(tx: &mut Tx, incident: IncidentId) -> Result<Vec<(Seq, String)>, Error> {
    let rows: Vec<(i64, String)> = fetch_all!(
        tx,
        (i64, String),
        "SELECT seq, payload FROM substitutes WHERE incident_id = $1 ORDER BY seq",
        incident.0,
    )?;
    rows.into_iter().map(|(seq, payload)| Ok((history::number(incident, seq)?, payload))).collect()
}

/// One sum over all copies, 64 hex digits.
#[must_use]
pub fn sum(copies: &[(Seq, String)]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"firebell substitutes 1\n");
    for (seq, payload) in copies {
        hash.update(seq.to_be_bytes());
        // The length first, or the end of one could pass for the start of the next.
        hash.update((payload.len() as u64).to_be_bytes());
        hash.update(payload.as_bytes());
    }
    hex::encode(hash.finalize())
}
