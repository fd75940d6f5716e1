//! Contact methods: ways to reach a person besides Slack. A further method is a variant here, a field of [`Contacts`]
//! and a file in `elsewhere`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way to reach somebody while Slack does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactMethod {
    Email,
    Webhook,
}

impl ContactMethod {
    /// In the order in which they are tried.
    pub const ALL: [Self; 2] = [Self::Email, Self::Webhook];

    /// The word for it in a sentence: "Dana by e-mail".
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "e-mail",
            Self::Webhook => "webhook",
        }
    }
}

/// Where somebody is reached besides Slack. Its debug form shows no address: a webhook's may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Contacts {
    pub email: Option<String>,
    pub webhook: Option<String>,
}

impl Contacts {
    pub fn address(&self, method: ContactMethod) -> Option<&str> {
        match method {
            ContactMethod::Email => self.email.as_deref(),
            ContactMethod::Webhook => self.webhook.as_deref(),
        }
    }

    /// The method to try after this one, or the first.
    pub fn after(&self, tried: Option<ContactMethod>) -> Option<ContactMethod> {
        ContactMethod::ALL
            .into_iter()
            .filter(|method| Some(*method) > tried)
            .find(|method| self.address(*method).is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.after(None).is_none()
    }
}

impl fmt::Debug for Contacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(ContactMethod::ALL.into_iter().filter(|method| self.address(*method).is_some())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_tried_in_one_order_and_those_without_an_address_are_left_out() {
        let both = Contacts { email: Some("dana@shop.example".into()), webhook: Some("https://hook.example/x".into()) };
        assert_eq!(both.after(None), Some(ContactMethod::Email));
        assert_eq!(both.after(Some(ContactMethod::Email)), Some(ContactMethod::Webhook));
        assert_eq!(both.after(Some(ContactMethod::Webhook)), None);
        let one = Contacts { email: None, ..both };
        assert_eq!(one.after(None), Some(ContactMethod::Webhook));
        assert!(Contacts::default().is_empty());
    }

    #[test]
    fn no_address_is_in_the_debug_form() {
        let both = Contacts { email: Some("dana@shop.example".into()), webhook: Some("https://hook.example/x".into()) };
        assert_eq!(format!("{both:?}"), "{Email, Webhook}");
    }
}
