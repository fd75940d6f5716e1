// The demo as a visitor meets it. Waits for states, never for time alone; every error on a page's console counts.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { chromium } from "playwright-core";

const { FIREBELL_BIN, CHROMIUM, WORK, SCREENSHOTS } = process.env;
const dir = path.join(WORK, "demo");
const ENTRIES = [
  ["3:00 PM", "A monitoring alert fired: the website's response time had risen sharply"],
  ["3:05 PM", "Escalated to Development team."],
  ["3:15 PM", "First suspect: the frontend code. Web server logs reviewed for errors"],
  ["3:30 PM", "Logs clean. Attention moved to the database server; a connectivity fault was seen"],
  ["3:45 PM", "Database server restarted and network settings checked; the fault remained"],
  ["4:15 PM", "Escalated to Database team."],
  ["4:30 PM", "Database team found wrong network settings in the database cluster and corrected them"],
  ["5:00 PM", "Website fully restored; users could browse and check out again"],
  ["5:00 PM", "Resolved."],
];

async function start(...options) {
  const program = spawn(FIREBELL_BIN, ["demo", "--port", "0", "--bot-port", "0", "--dir", dir, ...options], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let log = "";
  program.stderr.on("data", (data) => { log += data; });
  await new Promise((ready, failed) => {
    program.stdout.on("data", (data) => { said += data; if (said.includes("--fresh")) ready(); });
    program.on("exit", (code) => failed(new Error(`The demo ended with ${code}: ${said}${log}`)));
  });
  program.removeAllListeners("exit");
  const [page, bot] = [...said.matchAll(/http:\/\/127\.0\.0\.1:\d+/g)].map(([url]) => url);
  return { program, page, bot, said, log: () => log };
}

async function stop({ program }, signal = "SIGINT") {
  const ended = new Promise((resolve) => program.once("exit", (code, by) => resolve(code ?? by)));
  program.kill(signal);
  return ended;
}

const read = async (url, as = "json") => {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return response[as]();
};

async function until(what, look, seconds = 120) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `waited ${seconds} s for ${what}`);
    await wait(100);
  }
}

const status = (demo) => read(`${demo.page}/_demo/status`);
const steps = (demo, wanted) => until(wanted, async () => (await status(demo)).steps.some((step) => step.done && step.label.includes(wanted)));
const post = (url, body = {}) => fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }).then((response) => response.json());
const channelOf = (state, name) => state.channels.find((channel) => channel.name?.startsWith(name));

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const problems = [];

async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(`${page.url()}: ${message.text()}`); });
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.stack}`));
  page.on("request", (request) => { if (!/^(http:\/\/127\.0\.0\.1:|data:|blob:)/.test(request.url())) problems.push(`a request leaves this machine: ${request.url()}`); });
  await page.goto(url);
  return page;
}

async function closeAll() {
  for (const context of browser.contexts()) await context.close();
}

async function picture(page, name, options = {}) {
  if (!SCREENSHOTS) return;
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.evaluate(() => document.fonts.ready);
  await wait(250);
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), ...options });
}

const shown = (page, text) => page.getByText(text, { exact: false }).first().waitFor();

// The first half: the story up to the first acknowledgement, then it stands and the visitor acts.
let demo = await start("--speed", "120");
console.log(demo.said.trim());
let page = await open(demo.page);
await shown(page, "Firebell");
await picture(page, "01-start");
await steps(demo, "the timer pages Chris");
await post(`${demo.page}/_demo/pause`);
let now = await status(demo);
assert.equal(now.playing, false);
assert.equal(now.speed, 1);
const state = await read(`${demo.page}/_control/state?as=U0CHRIS001`);
assert.equal(state.demo, true);
const direct = state.channels.find((channel) => channel.kind === "im" && channel.user === state.app.user_id);
const chris = await open(`${demo.page}/?as=U0CHRIS001#/${direct.id}`);
await shown(chris, "I've got it");
await picture(chris, "02-page");
await post(`${demo.page}/_demo/speed`, { speed: 30 });
await post(`${demo.page}/_demo/play`);
await steps(demo, "the shortcut");
const incident = channelOf(await read(`${demo.page}/_control/state?as=U0ANA00001`), "inc-");
page = await open(`${demo.page}/?as=U0ANA00001#/${incident.id}`);
await shown(page, "Logs clean");
await picture(page, "03-channel");
await post(`${demo.page}/_demo/pause`);
await page.getByRole("button", { name: /Escalate|Call a team/ }).first().click();
await page.locator("dialog").waitFor();
await picture(page, "04-modal");
await page.keyboard.press("Escape");

// Killed in the middle, it goes on. A page that is open then would say so on its console, rightly.
await closeAll();
const before = await status(demo);
assert.equal(await stop(demo, "SIGKILL"), "SIGKILL");
demo = await start("--speed", "600");
assert.match(demo.said, /Goes on where it was left/);
now = await status(demo);
assert.equal(now.step, before.step);
assert.equal(now.playing, false, "what stood still still stands");
await post(`${demo.page}/_demo/play`);
await until("the end of the story", async () => (await status(demo)).finished);

// What the visitor finds in the end.
page = await open(`${demo.page}/?as=U0ANA00001#/${incident.id}`);
await shown(page, "Resolved");
await picture(page, "05-resolved");
const dark = await open(`${demo.page}/?as=U0ANA00001#/${incident.id}`, { colorScheme: "dark" });
await shown(dark, "Resolved");
await picture(dark, "06-dark");
const phone = await open(`${demo.page}/?as=U0ANA00001#/${incident.id}`, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
await shown(phone, "Resolved");
await picture(phone, "07-phone");
const home = await open(`${demo.page}/?as=U0ANA00001#/home`);
await shown(home, "INC-1");
await picture(home, "08-home");
const list = await open(`${demo.bot}/`);
await shown(list, "E-commerce store outage");
await picture(list, "09-list");
const pages = await open(`${demo.bot}/incidents/1`);
await shown(pages, "E-commerce store outage");
await picture(pages, "10-incident", { fullPage: true });
const document = await open(`${demo.bot}/incidents/1/postmortem`);
await shown(document, "Issue Summary");
await picture(document, "11-postmortem", { fullPage: true });
const night = await open(`${demo.bot}/incidents/1`, { colorScheme: "dark", viewport: { width: 390, height: 844 } });
await picture(night, "12-incident-phone-dark");

async function documents() {
  const url = `${demo.bot}/incidents/1/postmortem`;
  const page = await open(url);
  const shownText = await page.innerText("main");
  return { page: shownText, md: await read(`${url}.md`, "text"), json: await read(`${url}.json`, "text") };
}
const told = await documents();
for (const [time, text] of ENTRIES) {
  for (const kind of ["page", "md"]) {
    assert.ok(told[kind].includes(time) && told[kind].replaceAll("**", "").includes(text), `${kind} lacks ${time} ${text}`);
  }
  assert.ok(told.json.includes(JSON.stringify(text).slice(1, -2)) || /^(Escalated|Resolved)/.test(text), `json lacks ${text}`);
}
JSON.parse(told.json);
assert.match(told.md, /from 3:00 PM to 5:00 PM EDT \(2 hours\)/);
assert.match(told.md, /no answer, called again 3:1\d PM, answered 3:1\d PM/);
assert.deepEqual((await read(`${demo.page}/_control/journal?limit=1`)).complaints, [], "Slack would complain");

// Stopped in good order, it comes up as it was.
await closeAll();
assert.equal(await stop(demo), 0);
const log = demo.log();
demo = await start();
const again = await documents();
assert.equal(again.md, told.md);
assert.ok((await status(demo)).finished);
page = await open(`${demo.page}/?as=U0ANA00001#/${incident.id}`);
await shown(page, "Resolved");
assert.deepEqual(await post(`${demo.page}/_demo/restart`), { ok: true });
now = await status(demo);
assert.ok(!now.finished && now.step < 5, "the story begins anew");
await until("the new workspace", async () => !channelOf(await read(`${demo.page}/_control/state?as=U0ANA00001`), "inc-") || (await status(demo)).step > 2, 10);
await closeAll();
assert.equal(await stop(demo), 0);
await browser.close();
assert.deepEqual(problems, [], "the browser complains");
assert.ok(!/ERROR/.test(log), log);
console.log("The demo plays, is seen, survives a kill and a stop, and begins anew.");
