// Slack's own SDK for Node against the sandbox: as a client, as an app behind HTTP, and as an app in Socket Mode.
// The sandbox is named by SANDBOX_URL; its tokens by SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import bolt from "@slack/bolt";
import { WebClient, ErrorCode } from "@slack/web-api";

const base = process.env.SANDBOX_URL;
const token = process.env.SLACK_BOT_TOKEN;
const appToken = process.env.SLACK_APP_TOKEN;
const signingSecret = process.env.SLACK_SIGNING_SECRET;
const clientOptions = { slackApiUrl: `${base}/api/` };
const quiet = bolt.LogLevel.ERROR;

const ANA = "U0ANA00001";
const BEN = "U0BEN00001";
const SHOP_OPS = "C0SHOPOPS1";

const web = new WebClient(token, { ...clientOptions, logLevel: quiet });

async function control(path, body) {
  const response = await fetch(`${base}/_control/${path}`, body && {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  const answer = await response.json();
  assert.notEqual(answer.ok, false, `${path}: ${answer.error}`);
  return answer;
}

const act = (as, what, extra = {}) => control("act", { as, do: what, ...extra });

async function messages(as, channel) {
  return (await control(`messages?as=${as}&channel=${channel}`)).messages;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const button = (actionId) => [{
  type: "actions", block_id: "buttons",
  elements: [{ type: "button", action_id: actionId, text: { type: "plain_text", text: "Press" }, value: "42" }],
}];

const modal = {
  type: "modal", callback_id: "form", title: { type: "plain_text", text: "Open" }, submit: { type: "plain_text", text: "Go" },
  blocks: [
    { type: "input", block_id: "what", label: { type: "plain_text", text: "What" }, element: { type: "plain_text_input", action_id: "text" } },
    { type: "input", block_id: "team", optional: true, label: { type: "plain_text", text: "Team" }, element: { type: "external_select", action_id: "team", min_query_length: 0 } },
  ],
};

async function theWebApi() {
  const me = await web.auth.test();
  assert.equal(me.team, "Shopfront");
  const made = await web.conversations.create({ name: `node-${Date.now()}` });
  const channel = made.channel.id;
  await web.conversations.invite({ channel, users: `${ANA},${BEN}` });
  await web.conversations.setTopic({ channel, topic: "slow" });
  const posted = await web.chat.postMessage({
    channel, text: "hello", blocks: button("none"), metadata: { event_type: "page", event_payload: { n: 1 } },
  });
  await web.chat.update({ channel, ts: posted.ts, text: "hello again" });
  await web.chat.postMessage({ channel, text: "in the thread", thread_ts: posted.ts });
  const replies = await web.conversations.replies({ channel, ts: posted.ts });
  assert.equal(replies.messages.length, 2);
  const history = await web.conversations.history({ channel, include_all_metadata: true });
  const found = history.messages.find((message) => message.ts === posted.ts);
  assert.equal(found.text, "hello again");
  assert.deepEqual(found.metadata.event_payload, { n: 1 });
  await web.reactions.add({ channel, timestamp: posted.ts, name: "memo" });
  await web.pins.add({ channel, timestamp: posted.ts });
  assert.equal((await web.pins.list({ channel })).items.length, 1);
  await web.bookmarks.add({ channel_id: channel, title: "Page", type: "link", link: "https://example.com" });
  await web.chat.postEphemeral({ channel, user: ANA, text: "only you" });
  const link = await web.chat.getPermalink({ channel, message_ts: posted.ts });
  assert.match(link.permalink, /\/archives\//);
  const names = [];
  for await (const page of web.paginate("conversations.list", { limit: 2 })) names.push(...page.channels.map((one) => one.name));
  assert.ok(names.includes("shop-ops") && new Set(names).size === names.length);
  assert.equal((await web.users.info({ user: ANA })).user.tz, "America/New_York");
  assert.equal((await web.users.lookupByEmail({ email: "ben@shopfront.example" })).user.id, BEN);
  assert.equal((await web.usergroups.list({ include_users: true })).usergroups.length, 2);
  assert.equal((await web.dnd.info({ user: ANA })).dnd_enabled, false);
  assert.equal((await web.team.info()).team.domain, "shopfront");
  const uploaded = await web.filesUploadV2({ channel_id: channel, filename: "a.txt", content: "some text", initial_comment: "see" });
  assert.equal(uploaded.files[0].files[0].name, "a.txt");
  await web.conversations.archive({ channel });
  await assert.rejects(web.conversations.create({ name: made.channel.name }), (error) => {
    assert.equal(error.code, ErrorCode.PlatformError);
    assert.equal(error.data.error, "name_taken");
    return true;
  });
  await control("faults", { clear: true, add: [{ on: "api", method: "auth.test", nth: 1, fault: "rate_limited", retry_after: 1 }] });
  assert.equal((await web.auth.test()).ok, true, "the client waits as long as Retry-After says and asks again");
}

/** Handlers that both kinds of app share; what they saw is in the returned object. */
function install(app) {
  const seen = { events: [] };
  app.command("/incident", async ({ command, ack, client, respond }) => {
    seen.command = command;
    if (command.text === "form") {
      await ack();
      const opened = await client.views.open({ trigger_id: command.trigger_id, view: modal });
      seen.view = opened.view.id;
    } else {
      await ack("Noted.");
      await respond({ text: "And more.", response_type: "ephemeral" });
    }
  });
  app.action("press", async ({ action, ack, respond, body }) => {
    await ack();
    seen.action = { value: action.value, user: body.user.id };
    await respond({ replace_original: true, text: "Pressed." });
  });
  app.options("team", async ({ options, ack }) => {
    await ack({ options: [{ text: { type: "plain_text", text: `Team ${options.value}` }, value: "db" }] });
  });
  app.view("form", async ({ ack, view, body }) => {
    const what = view.state.values.what.text.value;
    if (what === "x") return ack({ response_action: "errors", errors: { what: "Say more." } });
    await ack();
    seen.submitted = { what, user: body.user.id };
  });
  app.shortcut("add_to_timeline", async ({ shortcut, ack }) => {
    await ack();
    seen.shortcut = shortcut.message.text;
  });
  app.message(async ({ message }) => { if (message.text) seen.events.push(message.text); });
  app.event("app_mention", async ({ event }) => { seen.mention = event.text; });
  app.event("app_home_opened", async ({ event, client }) => {
    await client.views.publish({ user_id: event.user, view: { type: "home", blocks: [{ type: "divider" }] } });
    seen.home = true;
  });
  app.error(async (error) => { throw error; });
  return seen;
}

async function until(what, check) {
  for (let n = 0; n < 200; n += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`never happened: ${what}`);
}

async function aDay(seen, way) {
  await act(ANA, "command", { channel: SHOP_OPS, text: "/incident open <b> for @ben" });
  assert.equal(seen.command.text, "open &lt;b&gt; for <@U0BEN00001|ben>");
  await until("the second answer", async () => (await messages(ANA, SHOP_OPS)).some((one) => one.text === "And more."));
  assert.ok((await messages(ANA, SHOP_OPS)).some((one) => one.text === "Noted." && one.ephemeral));

  const posted = await web.chat.postMessage({ channel: SHOP_OPS, text: `press ${way}`, blocks: button("press") });
  await act(BEN, "action", { container: { type: "message", channel: SHOP_OPS, ts: posted.ts }, block_id: "buttons", action_id: "press" });
  await until("the press", () => seen.action);
  assert.deepEqual(seen.action, { value: "42", user: BEN });
  await until("the replacement", async () => (await messages(ANA, SHOP_OPS)).find((one) => one.ts === posted.ts).text === "Pressed.");

  await act(ANA, "command", { channel: SHOP_OPS, text: "/incident form" });
  await until("the form", () => seen.view);
  const container = { type: "view", view_id: seen.view };
  const offered = await act(ANA, "options", { container, block_id: "team", action_id: "team", value: "d" });
  assert.equal(offered.options[0].text.text, "Team d");
  const submit = (value) => act(ANA, "submit", { view_id: seen.view, values: { what: { text: { type: "plain_text_input", value } } } });
  assert.equal((await submit("x")).errors.what, "Say more.");
  assert.equal((await submit("db is down")).response_action, "close");
  assert.deepEqual(seen.submitted, { what: "db is down", user: ANA });

  const { ts } = await act(BEN, "message", { channel: SHOP_OPS, text: `hello ${way}, @firebell` });
  await until("the mention", () => seen.mention?.includes(way));
  await until("the message", () => seen.events.some((text) => text.startsWith(`hello ${way}`)));
  await act(ANA, "shortcut", { callback_id: "add_to_timeline", channel: SHOP_OPS, ts });
  await until("the shortcut", () => seen.shortcut?.startsWith(`hello ${way}`));
  await act(ANA, "open_home");
  await until("the home tab", async () => (await control(`home?as=${ANA}`)).view?.blocks[0].type === "divider");
  await control("settle", {});
}

async function theAppBehindHttp() {
  const port = await freePort();
  const app = new bolt.App({ token, signingSecret, clientOptions, logLevel: quiet });
  const seen = install(app);
  await app.start({ port, host: "127.0.0.1" });
  const url = `http://127.0.0.1:${port}/slack/events`;
  await control("delivery", { mode: "http", commands_url: url, interactions_url: url, events_url: url });
  await aDay(seen, "http");
  await app.stop();
}

async function theAppInSocketMode() {
  const app = new bolt.App({ token, appToken, socketMode: true, clientOptions, logLevel: quiet });
  const seen = install(app);
  await control("delivery", { mode: "socket_mode" });
  await app.start();
  await aDay(seen, "socket");
  await app.stop();
}

for (const part of [theWebApi, theAppBehindHttp, theAppInSocketMode]) {
  await control("faults", { clear: true });
  await part();
  console.log(`node: ${part.name} ok`);
}
await control("delivery", { mode: "off" });
const { complaints } = await control("journal?since=0&limit=1");
assert.deepEqual(complaints, []);
process.exit(0);
