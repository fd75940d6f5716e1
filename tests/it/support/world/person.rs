//! Somebody at their Slack client: types, presses, fills in, reacts; and what they then have before them.

use chrono::DateTime;
use firebell::sandbox::{Act, Container};
use serde_json::{Map, Value, json};

use super::World;
use crate::words::reading;

/// A person in a place; `#shop-ops` unless they go elsewhere.
#[derive(Clone)]
pub(crate) struct Person<'w> {
    world: &'w World,
    id: String,
    name: String,
    place: String,
}

impl<'w> Person<'w> {
    pub(super) fn new(world: &'w World, name: &str) -> Self {
        let id = world.stage().slack.find_user(name).expect("is in the workspace");
        Self { world, id, name: name.to_owned(), place: "#shop-ops".to_owned() }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// In this channel, such as `#incidents`.
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.place = place.to_owned();
        self
    }

    /// In the direct messages with the app.
    pub(crate) fn in_dm(self) -> Self {
        let place = format!("@{}", self.name);
        self.within(&place)
    }

    /// In the channel of the incident with this number.
    pub(crate) async fn in_incident(self, number: i64) -> Self {
        let place = self.world.channel_of(number).await;
        self.within(&place)
    }

    async fn does(&self, act: Act) -> Value {
        let said = format!("{} does {act:?}", self.name);
        let done = self.world.stage().slack.act(&self.id, act).await;
        let done = done.unwrap_or_else(|refusal| panic!("{said}: {refusal}"));
        assert!(done.get("error_code").is_none(), "{said}: {done}");
        self.world.flows().await;
        done
    }

    /// Does something; what is then new that only this person sees: an answer, a form.
    async fn gets(&self, act: Act) -> String {
        let (before, form_before) = (self.own_messages(), self.top_view());
        self.does(act).await;
        let new = self.own_messages().into_iter().filter(|message| !before.contains(message));
        let mut seen: Vec<String> = new.map(|message| self.world.message(&message)).collect();
        if self.has_form() && self.top_view() != form_before {
            seen.push(self.form());
        }
        seen.join("\n")
    }

    fn own_messages(&self) -> Vec<Value> {
        let mut own = self.world.messages(&self.id, &self.place);
        own.retain(|message| message["ephemeral"] == true);
        own
    }

    fn channel(&self) -> String {
        self.world.place(&self.place).unwrap_or_else(|| panic!("{} sees no {}", self.name, self.place))
    }

    /// A slash command; the answer.
    pub(crate) async fn types(&self, line: &str) -> String {
        self.gets(Act::Command { channel: self.channel(), text: line.to_owned() }).await
    }

    /// An ordinary message; its ts.
    pub(crate) async fn says(&self, text: &str) -> String {
        let said = self.does(Act::Message { channel: self.channel(), text: text.to_owned(), thread_ts: None }).await;
        said["ts"].as_str().expect("a ts").to_owned()
    }

    /// A reply in the thread of this message; its ts.
    pub(crate) async fn replies(&self, thread: &str, text: &str) -> String {
        let (text, thread_ts) = (text.to_owned(), Some(thread.to_owned()));
        let said = self.does(Act::Message { channel: self.channel(), text, thread_ts }).await;
        said["ts"].as_str().expect("a ts").to_owned()
    }

    pub(crate) async fn archives(&self) {
        self.does(Act::Archive { channel: self.channel() }).await;
    }

    /// Everything there, as this person reads it.
    pub(crate) fn sees(&self) -> String {
        let messages = self.world.messages(&self.id, &self.place);
        messages.iter().map(|message| self.world.message(message)).collect::<Vec<_>>().join("\n")
    }

    /// How many messages are there.
    pub(crate) fn count(&self) -> usize {
        self.world.messages(&self.id, &self.place).len()
    }

    /// The text of each message there, without what its blocks say.
    pub(crate) fn texts(&self) -> Vec<String> {
        let messages = self.world.messages(&self.id, &self.place);
        messages.iter().map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// When each message there was last edited, as Slack writes it; empty for one that was not.
    pub(crate) fn edits_seen(&self) -> Vec<String> {
        let messages = self.world.messages(&self.id, &self.place);
        let edited = |message: &Value| message["edited"]["ts"].as_str().unwrap_or_default().to_owned();
        messages.iter().map(edited).collect()
    }

    /// The newest message there that says `text`.
    pub(crate) fn finds(&self, text: &str) -> String {
        let messages = self.world.messages(&self.id, &self.place);
        let read = messages.iter().rev().map(|message| self.world.message(message)).find(|read| read.contains(text));
        read.unwrap_or_else(|| panic!("nothing says “{text}” in {}:\n{}", self.place, self.sees()))
    }

    /// The text that a notification of the newest message shows.
    pub(crate) fn notification(&self) -> String {
        let messages = self.world.messages(&self.id, &self.place);
        let newest = messages.last().unwrap_or_else(|| panic!("{} is empty", self.place));
        self.world.named(&reading::shown(newest["text"].as_str().unwrap_or_default()))
    }

    /// The topic of the channel.
    pub(crate) fn topic(&self) -> String {
        self.conversation()["topic"].as_str().unwrap_or_default().to_owned()
    }

    /// Who is in the channel, by handle.
    pub(crate) fn members(&self) -> String {
        let members = self.conversation()["members"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = members.iter().filter_map(Value::as_str).map(|id| self.world.named(id)).collect();
        names.sort();
        names.join(" ")
    }

    fn conversation(&self) -> Value {
        let (state, id) = (self.world.stage().slack.state(&self.id), self.channel());
        let channels = state["channels"].as_array().cloned().unwrap_or_default();
        channels.into_iter().find(|channel| channel["id"] == id).expect("is visible")
    }

    /// The names of the channels this person sees.
    pub(crate) fn channels(&self) -> Vec<String> {
        let state = self.world.stage().slack.state(&self.id);
        let names = state["channels"].as_array().into_iter().flatten().filter_map(|channel| channel["name"].as_str());
        names.map(str::to_owned).collect()
    }

    /// Presses the newest button with this label, or chooses the entry of the newest "…" menu; what the person then gets.
    pub(crate) async fn clicks(&self, label: &str) -> String {
        let messages = self.world.messages(&self.id, &self.place);
        for message in messages.iter().rev() {
            let ts = message["ts"].as_str().unwrap_or_default().to_owned();
            if let Some(press) = press(message["blocks"].as_array(), label) {
                return self.presses(Container::Message { channel: self.channel(), ts }, press).await;
            }
        }
        panic!("there is no [{label}] in {} for {}:\n{}", self.place, self.name, self.sees());
    }

    async fn presses(&self, container: Container, (block_id, action): (String, Value)) -> String {
        let chosen = action.get("chosen").map(|option| Map::from_iter([("selected_option".into(), option.clone())]));
        let action_id = action["action_id"].as_str().unwrap_or_default().to_owned();
        self.gets(Act::Action { container, block_id, action_id, action: chosen.unwrap_or_default(), state: None }).await
    }

    fn views(&self) -> Vec<Value> {
        let views = self.world.stage().slack.views(&self.id);
        views["stack"].as_array().cloned().unwrap_or_default()
    }

    fn top_view(&self) -> Option<Value> {
        self.views().pop().map(|view| view["id"].clone())
    }

    /// The form on top, as it is read.
    pub(crate) fn form(&self) -> String {
        let view = self.views().pop().unwrap_or_else(|| panic!("{} has no form open", self.name));
        let title = view["title"]["text"].as_str().unwrap_or_default();
        let submit = view["submit"]["text"].as_str().unwrap_or_default();
        let blocks = reading::blocks(view["blocks"].as_array().map(Vec::as_slice).unwrap_or_default());
        self.world.named(&format!("┌ {title} [{submit}]\n{blocks}"))
    }

    pub(crate) fn has_form(&self) -> bool {
        !self.views().is_empty()
    }

    /// Fills in the form on top, each field by its label, and sends it; what the person then gets, or the complaint at a
    /// field.
    pub(crate) async fn submits(&self, answers: &[(&str, &str)]) -> String {
        let view = self.views().pop().unwrap_or_else(|| panic!("{} has no form open", self.name));
        let mut values = json!({});
        for (label, answer) in answers {
            let input = view["blocks"].as_array().into_iter().flatten().find(|block| block["label"]["text"] == *label);
            let input = input.unwrap_or_else(|| panic!("no field “{label}” in\n{}", self.form()));
            let block_id = input["block_id"].as_str().unwrap_or_default();
            let action_id = input["element"]["action_id"].as_str().unwrap_or_default();
            values[block_id][action_id] = self.value(&input["element"], answer);
        }
        let before = self.own_messages();
        let dm_before = self.clone().in_dm().count();
        let view_id = view["id"].as_str().unwrap_or_default().to_owned();
        let done = self.does(Act::Submit { view_id, values }).await;
        if let Some(errors) = done["errors"].as_object() {
            return errors
                .iter()
                .map(|(field, error)| format!("{field}: {}", error.as_str().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join("\n");
        }
        let new = self.own_messages().into_iter().filter(|message| !before.contains(message));
        let mut seen: Vec<String> = new.map(|message| self.world.message(&message)).collect();
        let dm = self.clone().in_dm();
        if dm.place != self.place && dm.count() > dm_before && seen.is_empty() {
            let told = self.world.messages(&self.id, &dm.place).split_off(dm_before);
            seen.extend(told.iter().map(|message| self.world.message(message)));
        }
        if self.has_form() {
            seen.push(self.form());
        }
        seen.join("\n")
    }

    fn value(&self, element: &Value, answer: &str) -> Value {
        let chosen = || {
            let options = element["options"].as_array().into_iter().flatten();
            let found = options
                .clone()
                .find(|option| option["text"]["text"].as_str().is_some_and(|text| text.contains(answer)));
            found.unwrap_or_else(|| panic!("no option {answer} in {element}")).clone()
        };
        match element["type"].as_str().unwrap_or_default() {
            "plain_text_input" => json!({ "value": answer }),
            "static_select" => json!({ "selected_option": chosen() }),
            "checkboxes" => json!({ "selected_options": [chosen()] }),
            "users_select" => {
                json!({ "selected_user": self.world.stage().slack.find_user(answer).expect("is in the workspace") })
            }
            "datepicker" => json!({ "selected_date": answer }),
            "datetimepicker" => {
                let at = format!("2026-12-01T{answer}:00-05:00");
                json!({ "selected_date_time": DateTime::parse_from_rfc3339(&at).expect("h:mm").timestamp() })
            }
            other => panic!("nobody has learnt to fill in a {other}"),
        }
    }

    /// A global shortcut, or one on the message with this ts; what the person then gets.
    pub(crate) async fn shortcut(&self, callback_id: &str, ts: Option<&str>) -> String {
        let channel = ts.map(|_| self.channel());
        self.gets(Act::Shortcut { callback_id: callback_id.to_owned(), channel, ts: ts.map(str::to_owned) }).await
    }

    pub(crate) async fn reacts(&self, ts: &str, name: &str) -> String {
        self.gets(Act::React { channel: self.channel(), ts: ts.to_owned(), name: name.to_owned() }).await
    }

    pub(crate) async fn unreacts(&self, ts: &str, name: &str) {
        self.does(Act::Unreact { channel: self.channel(), ts: ts.to_owned(), name: name.to_owned() }).await;
    }

    pub(crate) async fn edits(&self, ts: &str, text: &str) {
        self.does(Act::Edit { channel: self.channel(), ts: ts.to_owned(), text: text.to_owned() }).await;
    }

    pub(crate) async fn deletes(&self, ts: &str) {
        self.does(Act::Delete { channel: self.channel(), ts: ts.to_owned() }).await;
    }

    /// Posts a file; the ts of its message.
    pub(crate) async fn uploads(&self, name: &str, comment: Option<&str>) -> String {
        let act = Act::Upload {
            channel: self.channel(),
            name: name.to_owned(),
            content_base64: "Zmlyc3QgbGluZQo=".to_owned(),
            comment: comment.map(str::to_owned),
            thread_ts: None,
        };
        self.does(act).await;
        let messages = self.world.messages(&self.id, &self.place);
        messages.last().and_then(|message| message["ts"].as_str()).expect("a ts").to_owned()
    }

    /// Installs the app again with these permissions, as Ana can do who administers the workspace.
    pub(crate) async fn grants(&self, scopes: &[&str]) {
        let scopes = Some(scopes.iter().map(|&scope| scope.to_owned()).collect());
        self.does(Act::Install { scopes, events: None, commands: None, shortcuts: None, home_enabled: None }).await;
    }

    /// The names of the files that were posted there, oldest first.
    pub(crate) fn files(&self) -> Vec<String> {
        self.posted_files().iter().map(|file| file["name"].as_str().expect("a name").to_owned()).collect()
    }

    fn posted_files(&self) -> Vec<Value> {
        let messages = self.world.messages(&self.id, &self.place);
        messages.iter().filter_map(|message| message["files"].as_array().cloned()).flatten().collect()
    }

    /// The newest file of this name, fetched by its link as the page's reader fetches it.
    pub(crate) async fn downloads(&self, name: &str) -> Vec<u8> {
        let files = self.posted_files();
        let file =
            files.iter().rev().find(|file| file["name"] == name).unwrap_or_else(|| panic!("no {name}: {files:?}"));
        let page = self.world.stage().slack.page_url();
        let url = format!("{}{}", page.trim_end_matches('/'), file["download"].as_str().expect("a link"));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let got = client.get(url).header("sec-fetch-site", "same-origin").send().await.expect("an answer");
        assert_eq!(got.status(), 200, "{name}");
        got.bytes().await.expect("bytes").to_vec()
    }

    /// Opens the App Home and reads it.
    pub(crate) async fn opens_home(&self) -> String {
        self.does(Act::OpenHome {}).await;
        let home = self.world.stage().slack.home(&self.id);
        self.world.named(&reading::blocks(home["view"]["blocks"].as_array().map(Vec::as_slice).unwrap_or_default()))
    }

    /// Presses a button of the App Home.
    pub(crate) async fn clicks_at_home(&self, label: &str) -> String {
        let home = self.world.stage().slack.home(&self.id);
        let found = press(home["view"]["blocks"].as_array(), label).unwrap_or_else(|| panic!("there is no [{label}]"));
        self.presses(Container::Home, found).await
    }

    /// The account is closed, as Ana can do who administers the workspace.
    pub(crate) async fn leaves_the_company(&self) {
        let act =
            Act::User { id: self.id.clone(), deleted: Some(true), dnd: None, tz: None, title: None, real_name: None };
        self.world.ana().does(act).await;
    }
}

/// The block and the element of the button or menu entry with this label.
fn press(blocks: Option<&Vec<Value>>, label: &str) -> Option<(String, Value)> {
    for block in blocks.into_iter().flatten() {
        let block_id = block["block_id"].as_str().unwrap_or_default();
        let listed = block["elements"].as_array().into_iter().flatten().chain(block.get("accessory"));
        for element in listed {
            if element["text"]["text"] == label {
                return Some((block_id.to_owned(), element.clone()));
            }
            let options = element["options"].as_array().into_iter().flatten();
            if let Some(option) = options.clone().find(|option| option["text"]["text"] == label) {
                let mut element = element.clone();
                element["chosen"] = option.clone();
                return Some((block_id.to_owned(), element));
            }
        }
    }
    None
}
