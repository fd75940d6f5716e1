//! Which engine decided last: the rules of paging and the shape of an incident's state, as one number.
//!
//! While replicas are replaced one by one, older and newer programs share a database. An older one that decided about what a
//! newer one has written would lose what it does not know, so it leaves that alone.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// This program's engine. One more for each release whose state an older program must not write over.
pub const ENGINE: u32 = 2;

/// Written with each incident as [`ENGINE`]; cannot be read if it is a newer one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecidedBy;

impl Serialize for DecidedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(ENGINE)
    }
}

impl<'de> Deserialize<'de> for DecidedBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            0..=ENGINE => Ok(Self),
            newer => Err(serde::de::Error::custom(format!("it was decided by engine {newer}, and this is {ENGINE}"))),
        }
    }
}

/// What can be read of an incident's state whichever engine wrote it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Mark {
    pub engine: u32,
    pub number: i64,
}

impl Mark {
    pub fn is_newer(&self) -> bool {
        self.engine > ENGINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_engine_wrote_cannot_be_read_but_is_known_to_be_its() {
        #[derive(Debug, Serialize, Deserialize)]
        struct State {
            number: i64,
            #[serde(default)]
            engine: DecidedBy,
        }

        let ours = serde_json::to_string(&State { number: 7, engine: DecidedBy }).expect("JSON");
        assert!(serde_json::from_str::<State>(&ours).is_ok());
        assert!(serde_json::from_str::<State>(r#"{"number":7}"#).is_ok(), "from before there was a mark");
        let newer = ours.replace(&ENGINE.to_string(), &(ENGINE + 1).to_string());
        let newer = newer.replace(r#""number":"#, r#""unheard_of":[{}],"number":"#);
        assert!(serde_json::from_str::<State>(&newer).is_err());
        let mark: Mark = serde_json::from_str(&newer).expect("the mark is read all the same");
        assert!(mark.is_newer() && mark.number == 7);
    }
}
