//! Mishaps on order: what shall go wrong with which call or delivery.

use serde::{Deserialize, Serialize};

/// What goes wrong with a Web API call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum ApiFault {
    /// 429 with `Retry-After`; the body is JSON, or plain text.
    RateLimited {
        #[serde(default = "one")]
        retry_after: u64,
        #[serde(default)]
        plain: bool,
    },
    /// 200 with `{"ok":false,"error":"ratelimited"}`.
    RatelimitedOk,
    /// An HTML page with this status.
    ServerError {
        #[serde(default = "unavailable")]
        status: u16,
    },
    /// Done, but the JSON of the answer ends in the middle.
    Truncated,
    /// Done, but this top-level key of the answer is missing.
    MissingField { field: String },
    /// Done, and answered only after this many real milliseconds.
    Slow { ms: u64 },
    /// The connection dies before anything is done.
    ResetBefore,
    /// Done, but the connection dies before the answer.
    ResetAfter,
    /// `{"ok":false,"error":code}`.
    Error { code: String },
    /// Answered as if done, but nothing is stored.
    Lie,
}

/// What goes wrong with a delivery to the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum DeliveryFault {
    /// Sent twice.
    Duplicate,
    /// Sent after the one that follows it.
    Reorder,
    /// Sent this many of the clock's seconds later.
    Late { seconds: i64 },
    /// Never sent.
    Drop,
    /// `team` or `team_id` is null, as in an org-wide install.
    TeamNull,
    /// The inner type is one the app cannot know.
    UnknownType,
    /// The signature does not fit.
    BadSignature,
    /// The signature fits, but its time stamp is this many seconds in the past (negative: in the future).
    Skew { seconds: i64 },
    /// Padding of this many bytes.
    Huge { bytes: usize },
}

/// Which deliveries a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    Command,
    Interaction,
    Event,
}

/// One mishap on order. `nth` counts matching calls from 1 since the order; without it every call is hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum Fault {
    Api {
        /// A method, or `*`.
        method: String,
        #[serde(default)]
        nth: Option<u32>,
        #[serde(flatten)]
        what: ApiFault,
    },
    Delivery {
        #[serde(default)]
        route: Option<Route>,
        #[serde(default)]
        nth: Option<u32>,
        #[serde(flatten)]
        what: DeliveryFault,
    },
}

fn one() -> u64 {
    1
}

fn unavailable() -> u16 {
    503
}

/// The orders and how often each was asked.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    orders: Vec<(Fault, u32)>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.orders.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.orders.clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.orders.iter().map(|(fault, _)| fault.clone()).collect()
    }

    /// Counts a call of `called`; what shall happen to it.
    pub(crate) fn for_call(&mut self, called: &str) -> Option<ApiFault> {
        let mut hit = None;
        for (fault, seen) in &mut self.orders {
            if let Fault::Api { method, nth, what } = fault
                && (method == called || method == "*")
            {
                *seen += 1;
                if hit.is_none() && nth.is_none_or(|nth| nth == *seen) {
                    hit = Some(what.clone());
                }
            }
        }
        hit
    }

    /// Counts a delivery; everything that shall happen to it.
    pub(crate) fn for_delivery(&mut self, sent: Route) -> Vec<DeliveryFault> {
        let mut hits = Vec::new();
        for (fault, seen) in &mut self.orders {
            if let Fault::Delivery { route, nth, what } = fault
                && route.is_none_or(|route| route == sent)
            {
                *seen += 1;
                if nth.is_none_or(|nth| nth == *seen) {
                    hits.push(what.clone());
                }
            }
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_nth_call_is_hit() {
        let mut faults = Faults::default();
        let order = json!({ "on": "api", "method": "chat.postMessage", "nth": 2, "fault": "reset_after" });
        faults.add(serde_json::from_value(order).expect("a fault"));
        assert_eq!(faults.for_call("chat.postMessage"), None);
        assert_eq!(faults.for_call("auth.test"), None);
        assert_eq!(faults.for_call("chat.postMessage"), Some(ApiFault::ResetAfter));
        assert_eq!(faults.for_call("chat.postMessage"), None);
    }

    #[test]
    fn several_faults_meet_in_one_delivery() {
        let mut faults = Faults::default();
        for fault in [
            json!({ "on": "delivery", "fault": "duplicate" }),
            json!({ "on": "delivery", "route": "event", "fault": "team_null" }),
        ] {
            faults.add(serde_json::from_value(fault).expect("a fault"));
        }
        assert_eq!(faults.for_delivery(Route::Event), [DeliveryFault::Duplicate, DeliveryFault::TeamNull]);
        assert_eq!(faults.for_delivery(Route::Command), [DeliveryFault::Duplicate]);
    }
}
