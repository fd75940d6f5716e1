//! Limits of interactive elements: buttons, menus, inputs and their parts.

use serde_json::Value;

use super::{Checker, ID_MAX, Surface, URL_MAX, length};

const BUTTON_TEXT_MAX: usize = 75;
const BUTTON_VALUE_MAX: usize = 2000;
const ACCESSIBILITY_LABEL_MAX: usize = 75;
const OPTION_TEXT_MAX: usize = 75;
const OPTION_VALUE_MAX: usize = 150;
const OPTIONS_MAX: usize = 100;
const OVERFLOW_MAX: usize = 5;
const CHOICES_MAX: usize = 10;
const PLACEHOLDER_MAX: usize = 150;
const INPUT_LENGTH_MAX: u64 = 3000;
const CONFIRM_TITLE_MAX: usize = 100;
const CONFIRM_TEXT_MAX: usize = 300;
const CONFIRM_BUTTON_MAX: usize = 30;

/// What an element sits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Section,
    Actions,
    Input,
}

impl Checker {
    pub(crate) fn element(&mut self, element: &Value, at: &str, place: Place) {
        if !element.is_object() {
            self.err("must be an object", at);
            return;
        }
        self.short_text(element, "action_id", at, ID_MAX);
        if let Some(confirm) = element.get("confirm") {
            self.confirm(confirm, &format!("{at}/confirm"));
        }
        self.plain_text(element.get("placeholder"), &format!("{at}/placeholder"), PLACEHOLDER_MAX, false);
        let kind = element["type"].as_str().unwrap_or_default();
        match (kind, place) {
            ("image", Place::Section) => self.image(element, at, false),
            ("button" | "workflow_button", Place::Section | Place::Actions) => self.button(element, at),
            ("overflow", Place::Section | Place::Actions) => self.options(element, at, OVERFLOW_MAX),
            ("checkboxes" | "radio_buttons", _) => self.options(element, at, CHOICES_MAX),
            ("static_select", _) | ("multi_static_select", Place::Section | Place::Input) => {
                self.static_select(element, at);
            }
            (
                "external_select"
                | "users_select"
                | "conversations_select"
                | "channels_select"
                | "datepicker"
                | "timepicker",
                _,
            )
            | (
                "multi_external_select" | "multi_users_select" | "multi_conversations_select" | "multi_channels_select",
                Place::Section | Place::Input,
            )
            | ("datetimepicker" | "rich_text_input", Place::Actions | Place::Input) => {}
            ("plain_text_input", Place::Input | Place::Actions) => self.text_input(element, at),
            ("email_text_input" | "url_text_input" | "number_input" | "file_input", Place::Input) => {
                if self.surface == Surface::Message && kind == "file_input" {
                    self.err("unsupported type: file_input", &format!("{at}/type"));
                }
                if kind == "number_input" && !element["is_decimal_allowed"].is_boolean() {
                    self.err("missing required field: is_decimal_allowed", at);
                }
            }
            ("", _) => self.err("missing required field: type", at),
            (other, _) => self.err(&format!("unsupported type: {other}"), &format!("{at}/type")),
        }
    }

    fn button(&mut self, button: &Value, at: &str) {
        self.plain_text(button.get("text"), &format!("{at}/text"), BUTTON_TEXT_MAX, true);
        self.short_text(button, "value", at, BUTTON_VALUE_MAX);
        self.short_text(button, "url", at, URL_MAX);
        self.short_text(button, "accessibility_label", at, ACCESSIBILITY_LABEL_MAX);
        if let Some(style) = button.get("style")
            && !["primary", "danger"].iter().any(|known| style == known)
        {
            self.err("must be primary or danger", &format!("{at}/style"));
        }
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        self.plain_text(confirm.get("title"), &format!("{at}/title"), CONFIRM_TITLE_MAX, true);
        match confirm.get("text") {
            None => self.err("missing required field: text", at),
            Some(text) => self.text(text, &format!("{at}/text"), CONFIRM_TEXT_MAX),
        }
        self.plain_text(confirm.get("confirm"), &format!("{at}/confirm"), CONFIRM_BUTTON_MAX, true);
        self.plain_text(confirm.get("deny"), &format!("{at}/deny"), CONFIRM_BUTTON_MAX, true);
    }

    fn static_select(&mut self, element: &Value, at: &str) {
        match element.get("option_groups") {
            None => self.options(element, at, OPTIONS_MAX),
            Some(groups) => {
                let groups = groups.as_array().map(Vec::as_slice).unwrap_or_default();
                if groups.is_empty() || groups.len() > OPTIONS_MAX {
                    self.err("must have between 1 and 100 items", &format!("{at}/option_groups"));
                }
                for (n, group) in groups.iter().enumerate() {
                    let pointer = format!("{at}/option_groups/{n}");
                    self.plain_text(group.get("label"), &format!("{pointer}/label"), OPTION_TEXT_MAX, true);
                    self.options(group, &pointer, OPTIONS_MAX);
                }
            }
        }
    }

    /// `options` of a holder: at least one, at most `max`, initial ones among them.
    fn options(&mut self, holder: &Value, at: &str, max: usize) {
        let options = holder["options"].as_array().map(Vec::as_slice).unwrap_or_default();
        if options.is_empty() || options.len() > max {
            self.err(&format!("must have between 1 and {max} items"), &format!("{at}/options"));
        }
        for (n, option) in options.iter().enumerate() {
            self.option(option, &format!("{at}/options/{n}"));
        }
        let initial = holder.get("initial_option").into_iter();
        let initials = holder.get("initial_options").and_then(Value::as_array).into_iter().flatten();
        for chosen in initial.chain(initials) {
            if !options
                .iter()
                .any(|option| option["value"] == chosen["value"] && option["text"]["text"] == chosen["text"]["text"])
            {
                self.err("must be one of the provided options", &format!("{at}/initial_option"));
            }
        }
    }

    /// One option: text 75, value 150, description 75 characters.
    pub(crate) fn option(&mut self, option: &Value, at: &str) {
        match option.get("text") {
            None => self.err("missing required field: text", at),
            Some(text) => self.text(text, &format!("{at}/text"), OPTION_TEXT_MAX),
        }
        if option["value"].as_str().is_none() && option["url"].as_str().is_none() {
            self.err("missing required field: value", at);
        }
        self.short_text(option, "value", at, OPTION_VALUE_MAX);
        if let Some(description) = option.get("description") {
            self.text(description, &format!("{at}/description"), OPTION_TEXT_MAX);
        }
    }

    fn text_input(&mut self, element: &Value, at: &str) {
        for key in ["min_length", "max_length"] {
            if let Some(limit) = element.get(key)
                && limit.as_u64().is_none_or(|limit| limit > INPUT_LENGTH_MAX)
            {
                self.err("must be a whole number up to 3000", &format!("{at}/{key}"));
            }
        }
        let max = element["max_length"].as_u64().unwrap_or(INPUT_LENGTH_MAX);
        if let Some(initial) = element["initial_value"].as_str()
            && u64::try_from(length(initial)).is_ok_and(|length| length > max)
        {
            self.err(&format!("must be less than {} characters", max + 1), &format!("{at}/initial_value"));
        }
    }
}

/// The mistakes of an answer to a `block_suggestion`: at most 100 options or groups.
pub(crate) fn check_suggestions(answer: &Value) -> Vec<String> {
    let mut checker = Checker { surface: Surface::Modal, errors: Vec::new(), markdown_total: 0 };
    let lists: Vec<&Value> = match (answer.get("options"), answer.get("option_groups")) {
        (Some(options), None) => vec![options],
        (None, Some(groups)) => groups.as_array().into_iter().flatten().map(|group| &group["options"]).collect(),
        _ => {
            checker.err("must have either options or option_groups", "");
            return checker.errors;
        }
    };
    for list in lists {
        let options = list.as_array().map(Vec::as_slice).unwrap_or_default();
        if options.len() > OPTIONS_MAX {
            checker.err("no more than 100 items allowed", "/options");
        }
        for (n, option) in options.iter().enumerate() {
            checker.option(option, &format!("/options/{n}"));
        }
    }
    checker.errors
}
