//! Checks Block Kit against Slack's limits, so that a message that Slack would refuse is refused here.
//!
//! Lengths are Unicode code points. Every mistake is reported with the JSON pointer of its place.

pub(crate) mod elements;

use serde_json::Value;

/// Where blocks appear; each has its own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    Message,
    Modal,
    Home,
}

const MESSAGE_BLOCKS_MAX: usize = 50;
const VIEW_BLOCKS_MAX: usize = 100;
const ID_MAX: usize = 255;
const SECTION_TEXT_MAX: usize = 3000;
const SECTION_FIELDS_MAX: usize = 10;
const FIELD_TEXT_MAX: usize = 2000;
const HEADER_MAX: usize = 150;
const ACTIONS_MAX: usize = 25;
const CONTEXT_MAX: usize = 10;
const LABEL_MAX: usize = 2000;
const ALT_TEXT_MAX: usize = 2000;
const MARKDOWN_MAX: usize = 12_000;
const URL_MAX: usize = 3000;
const VIEW_TITLE_MAX: usize = 24;
const PRIVATE_METADATA_MAX: usize = 3000;
const VIEW_BYTES_MAX: usize = 250_000;
const ATTACHMENTS_MAX: usize = 100;

/// Collects mistakes while walking through blocks.
pub(crate) struct Checker {
    surface: Surface,
    errors: Vec<String>,
    markdown_total: usize,
}

/// The mistakes of a list of blocks, each `sentence [json-pointer:/…]`; `root` is the pointer of the list.
pub fn check_blocks(blocks: &Value, surface: Surface, root: &str) -> Vec<String> {
    let mut checker = Checker { surface, errors: Vec::new(), markdown_total: 0 };
    checker.blocks(blocks, root);
    checker.errors
}

/// The mistakes of a message's attachments.
pub fn check_attachments(attachments: &Value) -> Vec<String> {
    let mut checker = Checker { surface: Surface::Message, errors: Vec::new(), markdown_total: 0 };
    match attachments.as_array() {
        None => checker.err("must be an array", "/attachments"),
        Some(list) => {
            if list.len() > ATTACHMENTS_MAX {
                checker.err("no more than 100 attachments allowed", "/attachments");
            }
            for (n, attachment) in list.iter().enumerate() {
                if !attachment.is_object() {
                    checker.err("must be an object", &format!("/attachments/{n}"));
                } else if let Some(blocks) = attachment.get("blocks") {
                    checker.blocks(blocks, &format!("/attachments/{n}/blocks"));
                }
            }
        }
    }
    checker.errors
}

/// What is wrong with a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewProblem {
    /// More than 250 KB.
    TooLarge,
    Mistakes(Vec<String>),
}

/// Checks a modal or a home tab.
pub fn check_view(view: &Value, expected: Surface) -> Result<(), ViewProblem> {
    if view.to_string().len() > VIEW_BYTES_MAX {
        return Err(ViewProblem::TooLarge);
    }
    let mut checker = Checker { surface: expected, errors: Vec::new(), markdown_total: 0 };
    checker.view(view);
    if checker.errors.is_empty() { Ok(()) } else { Err(ViewProblem::Mistakes(checker.errors)) }
}

pub(crate) fn length(text: &str) -> usize {
    text.chars().count()
}

impl Checker {
    pub(crate) fn err(&mut self, sentence: &str, pointer: &str) {
        self.errors.push(format!("{sentence} [json-pointer:{pointer}]"));
    }

    fn view(&mut self, view: &Value) {
        if !view.is_object() {
            self.err("must be an object", "/view");
            return;
        }
        let (kind, word) = match self.surface {
            Surface::Home => ("home", false),
            Surface::Modal | Surface::Message => ("modal", true),
        };
        if view["type"].as_str() != Some(kind) {
            self.err(&format!("must be of type {kind}"), "/view/type");
        }
        if word {
            self.plain_text(view.get("title"), "/view/title", VIEW_TITLE_MAX, true);
            self.plain_text(view.get("submit"), "/view/submit", VIEW_TITLE_MAX, false);
            self.plain_text(view.get("close"), "/view/close", VIEW_TITLE_MAX, false);
        } else if view.get("title").is_some_and(|title| !title.is_null()) {
            self.err("unsupported field: title", "/view/title");
        }
        self.short_text(view, "callback_id", "/view", ID_MAX);
        self.short_text(view, "external_id", "/view", ID_MAX);
        self.short_text(view, "private_metadata", "/view", PRIVATE_METADATA_MAX);
        self.blocks(view.get("blocks").unwrap_or(&Value::Null), "/view/blocks");
        let has_input =
            view["blocks"].as_array().is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "input"));
        if has_input && word && !view["submit"].is_object() {
            self.err("missing required field: submit (a modal with input blocks needs it)", "/view");
        }
    }

    fn blocks(&mut self, blocks: &Value, root: &str) {
        let Some(list) = blocks.as_array() else {
            self.err("must be an array", root);
            return;
        };
        let max = match self.surface {
            Surface::Message => MESSAGE_BLOCKS_MAX,
            Surface::Modal | Surface::Home => VIEW_BLOCKS_MAX,
        };
        if list.len() > max {
            self.err(&format!("no more than {max} items allowed"), root);
        }
        let mut seen: Vec<&str> = Vec::new();
        for (n, block) in list.iter().enumerate() {
            let pointer = format!("{root}/{n}");
            if let Some(id) = block["block_id"].as_str() {
                if seen.contains(&id) {
                    self.err(&format!("block_id `{id}` already exists"), &format!("{pointer}/block_id"));
                }
                seen.push(id);
            }
            self.block(block, &pointer);
        }
    }

    fn block(&mut self, block: &Value, at: &str) {
        if !block.is_object() {
            self.err("must be an object", at);
            return;
        }
        self.short_text(block, "block_id", at, ID_MAX);
        match block["type"].as_str().unwrap_or_default() {
            "section" => self.section(block, at),
            "header" => self.plain_text(block.get("text"), &format!("{at}/text"), HEADER_MAX, true),
            "actions" => self.actions(block, at),
            "context" => self.context(block, at),
            "image" => self.image(block, at, true),
            "input" => self.input(block, at),
            "markdown" if self.surface == Surface::Message => match block["text"].as_str() {
                None | Some("") => self.err("missing required field: text", at),
                Some(text) => {
                    self.markdown_total += length(text);
                    if self.markdown_total > MARKDOWN_MAX {
                        self.err("markdown blocks of a message hold at most 12000 characters", &format!("{at}/text"));
                    }
                }
            },
            "rich_text" => {
                if !block["elements"].is_array() {
                    self.err("missing required field: elements", at);
                }
            }
            "divider" | "video" | "file" | "call" | "table" | "context_actions" => {}
            "" => self.err("missing required field: type", at),
            other => self.err(&format!("unsupported type: {other}"), &format!("{at}/type")),
        }
    }

    fn section(&mut self, block: &Value, at: &str) {
        let fields = block.get("fields").and_then(Value::as_array);
        if block.get("text").is_none_or(Value::is_null) && fields.is_none_or(Vec::is_empty) {
            self.err("missing required field: text or fields", at);
        }
        if let Some(text) = block.get("text").filter(|text| !text.is_null()) {
            self.text(text, &format!("{at}/text"), SECTION_TEXT_MAX);
        }
        if let Some(fields) = fields {
            if fields.len() > SECTION_FIELDS_MAX {
                self.err("no more than 10 items allowed", &format!("{at}/fields"));
            }
            for (n, field) in fields.iter().enumerate() {
                self.text(field, &format!("{at}/fields/{n}"), FIELD_TEXT_MAX);
            }
        }
        if let Some(accessory) = block.get("accessory") {
            self.element(accessory, &format!("{at}/accessory"), elements::Place::Section);
        }
    }

    fn actions(&mut self, block: &Value, at: &str) {
        let Some(list) = block["elements"].as_array().filter(|list| !list.is_empty()) else {
            self.err("must have at least one element", &format!("{at}/elements"));
            return;
        };
        if list.len() > ACTIONS_MAX {
            self.err("no more than 25 items allowed", &format!("{at}/elements"));
        }
        let mut seen: Vec<&str> = Vec::new();
        for (n, element) in list.iter().enumerate() {
            let pointer = format!("{at}/elements/{n}");
            if let Some(id) = element["action_id"].as_str() {
                if seen.contains(&id) {
                    self.err(&format!("action_id `{id}` already exists"), &format!("{pointer}/action_id"));
                }
                seen.push(id);
            }
            self.element(element, &pointer, elements::Place::Actions);
        }
    }

    fn context(&mut self, block: &Value, at: &str) {
        let Some(list) = block["elements"].as_array().filter(|list| !list.is_empty()) else {
            self.err("must have at least one element", &format!("{at}/elements"));
            return;
        };
        if list.len() > CONTEXT_MAX {
            self.err("no more than 10 items allowed", &format!("{at}/elements"));
        }
        for (n, element) in list.iter().enumerate() {
            let pointer = format!("{at}/elements/{n}");
            if element["type"] == "image" {
                self.image(element, &pointer, false);
            } else {
                self.text(element, &pointer, SECTION_TEXT_MAX);
            }
        }
    }

    pub(crate) fn image(&mut self, image: &Value, at: &str, is_block: bool) {
        if image["image_url"].as_str().is_none() && !image["slack_file"].is_object() {
            self.err("missing required field: image_url", at);
        }
        self.short_text(image, "image_url", at, URL_MAX);
        if image["alt_text"].as_str().is_none() {
            self.err("missing required field: alt_text", at);
        }
        self.short_text(image, "alt_text", at, ALT_TEXT_MAX);
        if is_block {
            self.plain_text(image.get("title"), &format!("{at}/title"), ALT_TEXT_MAX, false);
        }
    }

    fn input(&mut self, block: &Value, at: &str) {
        self.plain_text(block.get("label"), &format!("{at}/label"), LABEL_MAX, true);
        self.plain_text(block.get("hint"), &format!("{at}/hint"), LABEL_MAX, false);
        match block.get("element") {
            None => self.err("missing required field: element", at),
            Some(element) => self.element(element, &format!("{at}/element"), elements::Place::Input),
        }
    }

    /// A text object of either kind.
    pub(crate) fn text(&mut self, text: &Value, at: &str, max: usize) {
        let kind = text["type"].as_str().unwrap_or_default();
        if kind != "plain_text" && kind != "mrkdwn" {
            self.err("must be a text object of type plain_text or mrkdwn", at);
        }
        if kind == "mrkdwn" && text.get("emoji").is_some() {
            self.err("unsupported field: emoji (only plain_text has it)", at);
        }
        self.text_length(text, at, max);
    }

    /// A `plain_text` object.
    pub(crate) fn plain_text(&mut self, text: Option<&Value>, at: &str, max: usize, required: bool) {
        let Some(text) = text.filter(|text| !text.is_null()) else {
            if required {
                self.err("missing required field", at);
            }
            return;
        };
        if text["type"].as_str() != Some("plain_text") {
            self.err("must be a plain_text object", at);
        }
        self.text_length(text, at, max);
    }

    fn text_length(&mut self, text: &Value, at: &str, max: usize) {
        match text["text"].as_str() {
            None | Some("") => self.err("must be more than 0 characters", &format!("{at}/text")),
            Some(words) if length(words) > max => {
                self.err(&format!("must be less than {} characters", max + 1), &format!("{at}/text"));
            }
            Some(_) => {}
        }
    }

    /// A string key with a limit; absence is fine.
    pub(crate) fn short_text(&mut self, holder: &Value, key: &str, at: &str, max: usize) {
        match holder.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if length(text) <= max => {}
            Some(Value::String(_)) => {
                self.err(&format!("must be less than {} characters", max + 1), &format!("{at}/{key}"));
            }
            Some(_) => self.err("must be a string", &format!("{at}/{key}")),
        }
    }
}

#[cfg(test)]
mod tests;
