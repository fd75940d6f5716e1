//! Whether a request is Slack's: signature, age, and not seen before.
//!
//! Slack signs the raw body with the time of sending (signing version v0). The comparison takes the same time whatever
//! is wrong. Knows nothing of HTTP beyond the two header values.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::clock::lock;

/// Header with `v0=` and 64 hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-slack-signature";
/// Header with the Unix second of sending.
pub const TIMESTAMP_HEADER: &str = "x-slack-request-timestamp";

/// How far a request's time may lie from ours, either way.
pub const AGE_MAX_S: i64 = 300;

/// How long a signature is remembered: as long as its request could still pass for fresh, from 300 s before to 300 s
/// after its own time.
const REMEMBERED_S: i64 = 2 * AGE_MAX_S;

/// Signatures remembered at most, 16 bytes each. Slack delivers 30,000 events in an hour at most; beyond this number the
/// oldest go first.
const REMEMBERED_MAX: usize = 1 << 16;

/// Why a request is not taken for Slack's. The texts are for whoever sets the app up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("The request carries no Slack signature. Only Slack can call this address.")]
    Unsigned,
    #[error(
        "The signature does not match. Check that SLACK_SIGNING_SECRET is the signing secret under Basic Information of \
         this Slack app."
    )]
    Wrong,
    #[error("The request is more than five minutes old or ahead. Check this machine's clock.")]
    Stale,
    #[error("This request has been received before.")]
    Replayed,
}

/// Checks signatures and remembers them.
pub struct Verifier {
    /// None without a secret: then nothing passes, because anybody could sign with an empty one.
    keyed: Option<Hmac<Sha256>>,
    seen: Mutex<Seen>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Seen {
    keys: HashSet<Stamp>,
    by_age: VecDeque<(DateTime<Utc>, Stamp)>,
}

/// The first half of a signature, enough to tell it from any other.
type Stamp = [u8; 16];

/// A request that was found to be Slack's, for [`Verifier::forget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted(Stamp);

impl Verifier {
    /// Keys the check with the app's signing secret.
    pub fn new(secret: &SecretString) -> Self {
        let secret = secret.expose_secret().as_bytes();
        let keyed = (!secret.is_empty()).then(|| Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"));
        Self { keyed, seen: Mutex::default() }
    }

    /// Accepts a request once, if its signature fits the body and its time is near ours.
    pub fn check(
        &self,
        signature: Option<&[u8]>,
        timestamp: Option<&[u8]>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Accepted, Refused> {
        let (signature, timestamp) = signature.zip(timestamp).ok_or(Refused::Unsigned)?;
        let given = signature.strip_prefix(b"v0=").ok_or(Refused::Wrong)?;
        let mut claimed = [0_u8; 32];
        hex::decode_to_slice(given, &mut claimed).map_err(|_| Refused::Wrong)?;
        let mut mac = self.keyed.clone().ok_or(Refused::Wrong)?;
        mac.update(b"v0:");
        mac.update(timestamp);
        mac.update(b":");
        mac.update(body);
        // Compares in constant time.
        mac.verify_slice(&claimed).map_err(|_| Refused::Wrong)?;
        let sent = std::str::from_utf8(timestamp).ok().and_then(|second| second.parse::<i64>().ok());
        if sent.is_none_or(|second| now.timestamp().abs_diff(second) > AGE_MAX_S.unsigned_abs()) {
            return Err(Refused::Stale);
        }
        let stamp: Stamp = claimed[..16].try_into().expect("half of 32 bytes");
        if lock(&self.seen).insert(stamp, now) { Ok(Accepted(stamp)) } else { Err(Refused::Replayed) }
    }

    /// Lets the same request pass once more, because it was not handled.
    pub fn forget(&self, accepted: Accepted) {
        lock(&self.seen).keys.remove(&accepted.0);
    }
}

impl Seen {
    fn insert(&mut self, stamp: Stamp, now: DateTime<Utc>) -> bool {
        let horizon = now - TimeDelta::seconds(REMEMBERED_S);
        while let Some((at, oldest)) = self.by_age.front()
            && (*at < horizon || self.by_age.len() >= REMEMBERED_MAX)
        {
            self.keys.remove(oldest);
            self.by_age.pop_front();
        }
        let is_new = self.keys.insert(stamp);
        if is_new {
            self.by_age.push_back((now, stamp));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const BODY: &[u8] = b"command=%2Fincident&text=open+db+is+down&user_id=U1";

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).expect("in range")
    }

    fn verifier() -> Verifier {
        Verifier::new(&SECRET.into())
    }

    fn sign(timestamp: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
        mac.update(format!("v0:{timestamp}:").as_bytes());
        mac.update(body);
        format!("v0={}", hex::encode(mac.finalize().into_bytes()))
    }

    fn check(
        verifier: &Verifier,
        signature: &str,
        timestamp: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), Refused> {
        verifier.check(Some(signature.as_bytes()), Some(timestamp.as_bytes()), body, now).map(drop)
    }

    #[test]
    fn the_example_of_slacks_documentation_is_accepted() {
        // Slack's own worked example of a slash command, with its secret and signature.
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        let now = DateTime::from_timestamp(1_531_420_618, 0).expect("in range");
        assert_eq!(check(&verifier(), signature, "1531420618", body, now), Ok(()));
    }

    #[test]
    fn one_changed_bit_anywhere_is_refused() {
        let good = sign("1700000000", BODY);
        for index in 0..BODY.len() {
            let mut body = BODY.to_vec();
            body[index] ^= 1;
            assert_eq!(check(&verifier(), &good, "1700000000", &body, at(0)), Err(Refused::Wrong));
        }
        for index in 3..good.len() {
            let mut signature = good.clone().into_bytes();
            signature[index] = if signature[index] == b'0' { b'1' } else { b'0' };
            let signature = String::from_utf8(signature).expect("ASCII");
            assert_eq!(check(&verifier(), &signature, "1700000000", BODY, at(0)), Err(Refused::Wrong));
        }
        assert_eq!(check(&verifier(), &good, "1700000001", BODY, at(0)), Err(Refused::Wrong));
    }

    #[test]
    fn five_minutes_either_way_pass_and_a_second_more_does_not() {
        let signature = sign("1700000000", BODY);
        for second in [-300, 0, 300] {
            assert_eq!(check(&verifier(), &signature, "1700000000", BODY, at(second)), Ok(()));
        }
        for second in [-301, 301] {
            assert_eq!(check(&verifier(), &signature, "1700000000", BODY, at(second)), Err(Refused::Stale));
        }
    }

    #[test]
    fn missing_and_misshapen_headers_are_refused() {
        let verifier = verifier();
        let signature = sign("1700000000", BODY);
        assert_eq!(verifier.check(None, Some(b"1700000000"), BODY, at(0)), Err(Refused::Unsigned));
        assert_eq!(verifier.check(Some(signature.as_bytes()), None, BODY, at(0)), Err(Refused::Unsigned));
        for odd in ["", "v0=", "v1=00", &signature[3..], &format!("{signature}00"), "v0=zz"] {
            assert_eq!(check(&verifier, odd, "1700000000", BODY, at(0)), Err(Refused::Wrong), "{odd}");
        }
        let signed_words = sign("yesterday", BODY);
        assert_eq!(check(&verifier, &signed_words, "yesterday", BODY, at(0)), Err(Refused::Stale));
        assert_eq!(verifier.check(Some(&[0xff, 0xfe]), Some(&[0xff]), BODY, at(0)), Err(Refused::Wrong));
    }

    #[test]
    fn the_body_need_not_be_text() {
        let body = [0xff, 0x00, 0xc3, 0x28];
        assert_eq!(check(&verifier(), &sign("1700000000", &body), "1700000000", &body, at(0)), Ok(()));
    }

    #[test]
    fn the_same_signed_request_passes_once_until_it_is_too_old_anyway() {
        let verifier = verifier();
        let signature = sign("1700000300", BODY);
        assert_eq!(check(&verifier, &signature, "1700000300", BODY, at(0)), Ok(()));
        assert_eq!(check(&verifier, &signature, "1700000300", BODY, at(1)), Err(Refused::Replayed));
        assert_eq!(check(&verifier, &signature, "1700000300", BODY, at(600)), Err(Refused::Replayed));
        assert_eq!(check(&verifier, &signature, "1700000300", BODY, at(601)), Err(Refused::Stale));
    }

    #[test]
    fn a_request_that_was_not_handled_may_come_again() {
        let verifier = verifier();
        let signature = sign("1700000000", BODY);
        let accepted = verifier.check(Some(signature.as_bytes()), Some(b"1700000000"), BODY, at(0)).expect("good");
        verifier.forget(accepted);
        assert_eq!(check(&verifier, &signature, "1700000000", BODY, at(1)), Ok(()));
    }

    #[test]
    fn without_a_secret_nothing_passes() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").expect("any length");
        mac.update(b"v0:1700000000:{}");
        let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(check(&Verifier::new(&"".into()), &signature, "1700000000", b"{}", at(0)), Err(Refused::Wrong));
    }

    #[test]
    fn the_memory_of_signatures_is_bounded() {
        let mut seen = Seen::default();
        for number in 0..(REMEMBERED_MAX + 10) as u128 {
            assert!(seen.insert(number.to_le_bytes(), at(0)));
        }
        assert_eq!((seen.keys.len(), seen.by_age.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
        assert!(seen.insert(0_u128.to_le_bytes(), at(REMEMBERED_S + 1)));
        assert_eq!((seen.keys.len(), seen.by_age.len()), (1, 1));
    }
}
