//! A few values of the installation itself: the demo's clock, the id of this instance.

use super::tx::{clean, execute, fetch_optional};
use super::{Error, Tx};

/// The value under `key`, if one was set.
pub async fn get(tx: &mut Tx, key: &str) -> Result<Option<String>, Error> {
    let row: Option<(String,)> =
        fetch_optional!(tx, (String,), "SELECT value FROM settings WHERE key = $1", clean(key))?;
    Ok(row.map(|(value,)| value))
}

/// Sets the value under `key`.
pub async fn set(tx: &mut Tx, key: &str, value: &str) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        clean(key),
        clean(value),
    )?;
    Ok(())
}

/// Sets the value under `key` unless it has one; the value it has then. For an id that is made once.
pub async fn get_or_set(tx: &mut Tx, key: &str, value: &str) -> Result<String, Error> {
    execute!(
        tx,
        "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
        clean(key),
        clean(value),
    )?;
    Ok(get(tx, key).await?.unwrap_or_else(|| value.to_owned()))
}
