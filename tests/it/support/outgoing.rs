//! JSON in the type in which the program sends it.

use firebell::slack::json::Json;
use serde_json::Value;

/// The same value. Its names live as long as the test run.
pub fn outgoing(value: Value) -> Json {
    match value {
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => number.as_i64().expect("a whole number").into(),
        Value::String(text) => text.into(),
        Value::Array(list) => list.into_iter().map(outgoing).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            Json::Object(members.into_iter().map(|(name, value)| (&*name.leak(), outgoing(value))).collect())
        }
        Value::Null => panic!("nothing is sent as null"),
    }
}
