//! Lets work go on beside the one who began it.
//!
//! The application and its worker begin all their tasks here, so that a simulation can decide which of them goes on when.

/// Runs a future until it ends, whoever began it.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    #[cfg(test)]
    let Some(future) = crate::simulation::adopt(future) else { return };
    tokio::spawn(future);
}
