//! The Block Kit blocks that Firebell uses, within Slack's limits by construction.
//!
//! Texts that Slack interprets come in as [`Mrkdwn`]; `plain_text` takes any text and cleans it. Lengths are Unicode
//! code points (docs.slack.dev/reference/block-kit). Nothing here knows incidents.

use super::json::Json;
use chrono::{DateTime, NaiveDate, Utc};

use super::actions::ButtonAction;
use super::escape::{Mrkdwn, Untrusted, safe_url};
use super::json::object;

/// Longest text of a section, and longest `text` that we send, in characters.
pub const TEXT_MAX: usize = 3000;
pub const MESSAGE_BLOCKS_MAX: usize = 50;
/// Most blocks of a modal or of the App Home.
pub const VIEW_BLOCKS_MAX: usize = 100;
const HEADER_MAX: usize = 150;
const CONTEXT_ELEMENTS_MAX: usize = 10;
const ACTIONS_ELEMENTS_MAX: usize = 25;
const BUTTON_TEXT_MAX: usize = 75;
const ACCESSIBILITY_LABEL_MAX: usize = 75;
const OPTION_TEXT_MAX: usize = 75;
/// Most options of a select menu.
pub const OPTIONS_MAX: usize = 100;
const OVERFLOW_OPTIONS_MAX: usize = 5;
const CONFIRM_TITLE_MAX: usize = 100;
const CONFIRM_TEXT_MAX: usize = 300;
const CONFIRM_BUTTON_MAX: usize = 30;
const PLACEHOLDER_MAX: usize = 150;
const LABEL_MAX: usize = 2000;
const VIEW_TITLE_MAX: usize = 24;
/// Longest text that a `plain_text_input` takes, in characters.
pub const INPUT_MAX: usize = 3000;

/// A `plain_text` object of at most `chars_max` characters; never empty, which Slack would refuse.
fn plain(text: &str, chars_max: usize) -> Json {
    let text = Untrusted(text).plain(chars_max);
    let text = if text.is_empty() { "–".to_owned() } else { text };
    object! { "type": "plain_text", "text": text, "emoji": true }
}

fn mrkdwn(text: Mrkdwn, chars_max: usize) -> Json {
    let text = text.clipped(chars_max).into_string();
    let text = if text.is_empty() { "–".to_owned() } else { text };
    object! { "type": "mrkdwn", "text": text, "verbatim": true }
}

/// The first `blocks_max` blocks.
pub fn at_most(mut blocks: Vec<Json>, blocks_max: usize) -> Vec<Json> {
    blocks.truncate(blocks_max);
    blocks
}

/// One line in large letters; Slack interprets nothing in it.
pub fn header(text: &str) -> Json {
    object! { "type": "header", "text": plain(text, HEADER_MAX) }
}

/// A paragraph. Slack links nothing by itself.
pub fn section(text: impl Into<Mrkdwn>) -> Json {
    object! { "type": "section", "text": mrkdwn(text.into(), TEXT_MAX) }
}

/// A paragraph of a person's own words, in which Slack makes web addresses clickable.
pub fn prose(text: Mrkdwn) -> Json {
    let mut block = section(text);
    block.set_in("text", "verbatim", false);
    block
}

/// A paragraph with an element (a button, a menu) at its right.
pub fn section_with(text: impl Into<Mrkdwn>, accessory: impl Into<Json>) -> Json {
    let mut block = section(text);
    block.set("accessory", accessory);
    block
}

/// Lines as few sections: as many lines in each as fit.
pub fn sections(lines: impl IntoIterator<Item = Mrkdwn>) -> Vec<Json> {
    let mut sections = Vec::new();
    let mut together: Vec<Mrkdwn> = Vec::new();
    let mut chars = 0;
    for line in lines {
        let line = line.clipped(TEXT_MAX);
        let line_chars = line.as_str().chars().count() + 1;
        if chars + line_chars > TEXT_MAX && !together.is_empty() {
            sections.push(section(Mrkdwn::join(std::mem::take(&mut together), "\n")));
            chars = 0;
        }
        chars += line_chars;
        together.push(line);
    }
    if !together.is_empty() {
        sections.push(section(Mrkdwn::join(together, "\n")));
    }
    sections
}

/// Small grey lines, at most ten.
pub fn context(lines: impl IntoIterator<Item = Mrkdwn>) -> Json {
    let elements: Vec<Json> = lines.into_iter().take(CONTEXT_ELEMENTS_MAX).map(|line| mrkdwn(line, TEXT_MAX)).collect();
    object! { "type": "context", "elements": elements }
}

pub fn divider() -> Json {
    object! { "type": "divider" }
}

/// A row of buttons and menus, at most 25.
pub fn actions(elements: impl IntoIterator<Item = Json>) -> Json {
    let elements: Vec<Json> = elements.into_iter().take(ACTIONS_ELEMENTS_MAX).collect();
    object! { "type": "actions", "elements": elements }
}

/// A button on its way; `Value::from` ends it.
#[derive(Clone, Debug)]
pub struct Button(Json);

impl Button {
    /// A button that does something of ours. `spoken` is read aloud instead of the label: what happens, and to what.
    pub fn new(label: &str, spoken: &str, action: &ButtonAction) -> Self {
        Self(object! {
            "type": "button",
            "text": plain(label, BUTTON_TEXT_MAX),
            "action_id": action.action_id(),
            "value": action.value(),
            "accessibility_label": Untrusted(spoken).plain(ACCESSIBILITY_LABEL_MAX),
        })
    }

    /// A button that opens an address; `None` if it is not one that a person can be sent to.
    pub fn link(label: &str, spoken: &str, url: &str) -> Option<Self> {
        let mut button = Self::new(label, spoken, &ButtonAction::Visit);
        button.0.set("url", safe_url(url)?.to_owned());
        Some(button)
    }

    /// The one thing that is asked of the reader.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.0.set("style", "primary");
        self
    }

    /// Asks before it acts, naming the consequence.
    #[must_use]
    pub fn confirm(mut self, title: &str, consequence: &str, yes: &str) -> Self {
        let confirm = object! {
            "title": plain(title, CONFIRM_TITLE_MAX),
            "text": plain(consequence, CONFIRM_TEXT_MAX),
            "confirm": plain(yes, CONFIRM_BUTTON_MAX),
            "deny": plain("Go back", CONFIRM_BUTTON_MAX),
        };
        self.0.set("confirm", confirm);
        self
    }
}

impl From<Button> for Json {
    fn from(button: Button) -> Self {
        button.0
    }
}

/// The "…" menu: at most five things to do.
pub fn overflow(items: &[(&str, ButtonAction)]) -> Json {
    let options: Vec<Json> =
        items.iter().take(OVERFLOW_OPTIONS_MAX).map(|(label, action)| option(label, &action.value())).collect();
    object! { "type": "overflow", "action_id": super::actions::MORE, "options": options }
}

/// A menu whose choice acts at once; at least one option, at most 100.
pub fn menu(action_id: &str, placeholder: &str, mut options: Vec<Json>) -> Json {
    options.truncate(OPTIONS_MAX);
    let placeholder = plain(placeholder, PLACEHOLDER_MAX);
    object! { "type": "static_select", "action_id": action_id.to_owned(), "placeholder": placeholder, "options": options }
}

/// One choice of a menu. The value must fit 150 characters, or Slack refuses the whole view.
pub fn option(label: &str, value: &str) -> Json {
    object! { "text": plain(label, OPTION_TEXT_MAX), "value": value.to_owned() }
}

/// What choosing this option means.
pub(super) fn value_of(option: &Json) -> Option<&str> {
    option.get("value")?.as_str()
}

/// A field of a form, on its way; `Value::from` ends it.
#[derive(Clone, Debug)]
pub struct Input(Json);

impl Input {
    fn new(block_id: &'static str, label: &str, element: Json) -> Self {
        let mut element = element;
        element.set("action_id", super::actions::VALUE);
        Self(object! {
            "type": "input", "block_id": block_id, "label": plain(label, LABEL_MAX), "element": element, "optional": true,
        })
    }

    /// A single line of at most `chars_max` characters.
    pub fn line(block_id: &'static str, label: &str, chars_max: usize, initial: Option<&str>) -> Self {
        Self::typed(block_id, label, chars_max, initial.map(|text| Untrusted(text).plain(chars_max)), false)
    }

    /// Several lines.
    pub fn text(block_id: &'static str, label: &str, initial: Option<&str>) -> Self {
        Self::typed(block_id, label, INPUT_MAX, initial.map(|text| Untrusted(text).plain_text(INPUT_MAX)), true)
    }

    fn typed(block_id: &'static str, label: &str, chars_max: usize, initial: Option<String>, multiline: bool) -> Self {
        let chars_max = chars_max.min(INPUT_MAX);
        let mut element = object! { "type": "plain_text_input", "multiline": multiline, "max_length": chars_max };
        if let Some(initial) = initial.filter(|text| !text.is_empty()) {
            element.set("initial_value", initial);
        }
        Self::new(block_id, label, element)
    }

    /// A menu; at least one option, at most 100. `initial` is the value of the option that is chosen at first.
    pub fn select(block_id: &'static str, label: &str, mut options: Vec<Json>, initial: Option<&str>) -> Self {
        options.truncate(OPTIONS_MAX);
        let chosen =
            initial.and_then(|initial| options.iter().find(|option| value_of(option) == Some(initial))).cloned();
        let mut element = object! { "type": "static_select", "options": options };
        if let Some(chosen) = chosen {
            element.set("initial_option", chosen);
        }
        Self::new(block_id, label, element)
    }

    /// A menu of the workspace's people.
    pub fn person(block_id: &'static str, label: &str, initial: Option<&str>) -> Self {
        let mut element = object! { "type": "users_select" };
        if let Some(user) = initial {
            element.set("initial_user", user.to_owned());
        }
        Self::new(block_id, label, element)
    }

    /// One box to tick.
    pub fn tick(block_id: &'static str, label: &str, box_label: &str, ticked: bool) -> Self {
        let options = vec![option(box_label, "yes")];
        let mut element = object! { "type": "checkboxes", "options": options.clone() };
        if ticked {
            element.set("initial_options", options);
        }
        Self::new(block_id, label, element)
    }

    /// A calendar day.
    pub fn day(block_id: &'static str, label: &str, initial: Option<NaiveDate>) -> Self {
        let mut element = object! { "type": "datepicker" };
        if let Some(day) = initial {
            element.set("initial_date", day.format("%Y-%m-%d").to_string());
        }
        Self::new(block_id, label, element)
    }

    /// A moment, shown in the reader's own zone.
    pub fn moment(block_id: &'static str, label: &str, initial: Option<DateTime<Utc>>) -> Self {
        let mut element = object! { "type": "datetimepicker" };
        if let Some(at) = initial {
            element.set("initial_date_time", at.timestamp());
        }
        Self::new(block_id, label, element)
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.0.set("optional", false);
        self
    }

    /// The grey line under the field.
    #[must_use]
    pub fn hint(mut self, hint: &str) -> Self {
        self.0.set("hint", plain(hint, LABEL_MAX));
        self
    }

    /// The grey text inside the empty field.
    #[must_use]
    pub fn placeholder(mut self, placeholder: &str) -> Self {
        self.0.set_in("element", "placeholder", plain(placeholder, PLACEHOLDER_MAX));
        self
    }
}

impl From<Input> for Json {
    fn from(input: Input) -> Self {
        input.0
    }
}

/// A form. `private_metadata` must fit 3000 characters.
pub fn modal(callback_id: &'static str, title: &str, submit: &str, private_metadata: &str, blocks: Vec<Json>) -> Json {
    object! {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, VIEW_TITLE_MAX),
        "submit": plain(submit, VIEW_TITLE_MAX),
        "close": plain("Go back", VIEW_TITLE_MAX),
        "private_metadata": private_metadata.to_owned(),
        "blocks": at_most(blocks, VIEW_BLOCKS_MAX),
    }
}

/// The App Home.
pub fn home(blocks: Vec<Json>) -> Json {
    object! { "type": "home", "blocks": at_most(blocks, VIEW_BLOCKS_MAX) }
}
