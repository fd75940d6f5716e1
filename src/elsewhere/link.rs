//! The link by which a page is answered: it says for whom and for which page it is, and that we made it.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::ids::{EscalationId, IncidentId, PageId, UserId};

/// How long a link may be used after it was sent; shorter than deliveries are remembered, so that none is used twice.
pub const VALID_FOR: TimeDelta = TimeDelta::hours(24);
/// What the signature is for, so that one of another purpose is none of this.
const PURPOSE: &[u8] = b"firebell/acknowledge/1:";
/// Longer than any token of ours.
const TOKEN_BYTES_MAX: usize = 256;

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub incident: IncidentId,
    pub escalation: EscalationId,
    pub page: PageId,
    /// Nobody in particular: the fallback's own contact method.
    pub user: Option<UserId>,
    pub expires_at: DateTime<Utc>,
}

/// Why a link is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worthless {
    /// Not made by us, or changed.
    Forged,
    Expired,
}

/// Makes links and reads them.
#[derive(Clone)]
pub struct Links {
    keyed: Hmac<Sha256>,
    /// Without a trailing slash.
    base: String,
}

impl Claim {
    /// What makes a second use of the same page's links recognisable, whichever copy of the message it comes from.
    pub fn delivery_key(&self) -> String {
        let user = self.user.as_ref().map_or("", UserId::as_str);
        format!("answer-link:{}/{}/{user}", self.incident, self.page.0)
    }

    fn text(&self) -> String {
        let user = self.user.as_ref().map_or("", UserId::as_str);
        let (incident, escalation, page) = (self.incident.0, self.escalation.0, self.page.0);
        format!("{incident}-{escalation}-{page}-{}-{user}", self.expires_at.timestamp())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let claim = Self {
            incident: IncidentId(parts.next()?.parse().ok()?),
            escalation: EscalationId(parts.next()?.parse().ok()?),
            page: PageId(parts.next()?.parse().ok()?),
            expires_at: DateTime::from_timestamp(parts.next()?.parse().ok()?, 0)?,
            user: Some(parts.next()?).filter(|user| !user.is_empty()).map(UserId::new),
        };
        parts.next().is_none().then_some(claim)
    }
}

impl Links {
    pub fn new(key: &[u8], public_url: &str) -> Self {
        let keyed = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Self { keyed, base: public_url.trim_end_matches('/').to_owned() }
    }

    /// The address that answers the page.
    pub fn url(&self, claim: &Claim) -> String {
        format!("{}/ack/{}", self.base, self.token(claim))
    }

    fn token(&self, claim: &Claim) -> String {
        let text = claim.text();
        let signature = hex::encode(self.signed(&text).finalize().into_bytes());
        format!("{text}.{signature}")
    }

    /// What a token says, if it is ours and still counts.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Result<Claim, Worthless> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Worthless::Forged);
        }
        let (text, signature) = token.rsplit_once('.').ok_or(Worthless::Forged)?;
        let mut given = [0_u8; 32];
        hex::decode_to_slice(signature, &mut given).map_err(|_| Worthless::Forged)?;
        // Compares in constant time.
        self.signed(text).verify_slice(&given).map_err(|_| Worthless::Forged)?;
        let claim = Claim::parse(text).ok_or(Worthless::Forged)?;
        if claim.expires_at <= now { Err(Worthless::Expired) } else { Ok(claim) }
    }

    fn signed(&self, text: &str) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        mac.update(PURPOSE);
        mac.update(text.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).expect("in range")
    }

    fn claim(user: Option<&str>) -> Claim {
        Claim {
            incident: IncidentId(7),
            escalation: EscalationId(1),
            page: PageId(3),
            user: user.map(UserId::new),
            expires_at: at(60),
        }
    }

    #[test]
    fn a_link_says_what_was_put_into_it() {
        let links = Links::new(b"key", "https://bell.example/");
        for user in [Some("U0DANA0001"), None] {
            let url = links.url(&claim(user));
            let token = url.strip_prefix("https://bell.example/ack/").expect("the page's address");
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)), "{token}");
            assert_eq!(links.read(token, at(59)), Ok(claim(user)));
            assert_eq!(links.read(token, at(60)), Err(Worthless::Expired));
        }
    }

    #[test]
    fn no_changed_byte_and_no_other_key_passes() {
        let links = Links::new(b"key", "");
        let token = links.token(&claim(Some("U0DANA0001")));
        assert_eq!(Links::new(b"other", "").read(&token, at(0)), Err(Worthless::Forged));
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(links.read(&changed, at(0)), Err(Worthless::Forged), "{changed}");
        }
        let long = "1".repeat(100_000);
        for nothing in ["", ".", "1-1-1-1-U1", "7-1-3-1700000060-U0DANA0001.", long.as_str()] {
            assert_eq!(links.read(nothing, at(0)), Err(Worthless::Forged));
        }
    }
}
