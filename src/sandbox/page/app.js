// The sandbox's page: who one is, where one looks, and what the stream says has changed.

import { h, icon, iconButton, byId, menu, popover, ask, toast, announce, arrows } from "./dom.js";
import { S, get, act, loadState, user, me, nameOf, isApp, channelLabel, clockTime, zoneCity, now, tsMs, dayLabel } from "./store.js";
import { mrkdwnLine, plain, emoji, link } from "./text.js";
import { Feed, avatar, preview, report } from "./feed.js";
import { Composer } from "./composer.js";
import { combo, personOption } from "./elements.js";
import { syncViews, drawHome } from "./views.js";
import { toggleWire, wireOpen, pull } from "./wire.js";
import { startStory, refreshStory } from "./story.js";

let place = { view: null, channel: null };
let feed = null;
let thread = null;
let stream = null;
let loadedAt = 0;

// ---- the left column ----

function drawSide() {
  const side = byId("side");
  const scroll = side.querySelector(".side-scroll")?.scrollTop ?? 0;
  const focus = side.contains(document.activeElement) ? document.activeElement.id || document.activeElement.getAttribute("href") : null;
  const folded = Object.fromEntries([...side.querySelectorAll("details")].map((d) => [d.id, d.open]));
  const list = [...S.channels.values()];
  const talk = (c) => c.kind === "public" || c.kind === "private";
  const byName = (a, b) => channelLabel(a).localeCompare(channelLabel(b));
  const mine = list.filter((c) => talk(c) && c.member && !c.archived).sort(byName);
  const others = list.filter((c) => talk(c) && !c.member && !c.archived).sort(byName);
  const archived = list.filter((c) => talk(c) && c.archived).sort(byName);
  const direct = list.filter((c) => !talk(c) && c.user !== S.app?.user_id).sort((a, b) => Number(b.last_ts ?? 0) - Number(a.last_ts ?? 0) || byName(a, b));
  const fold = (id, title, items) => items.length ? h("details", { id, open: folded[id] || items.some((c) => c.id === place.channel) }, h("summary", {}, icon("down"), `${title} (${items.length})`), h("ul", {}, items.map(sideLink))) : null;
  const person = me();
  side.replaceChildren(
    h("div", { class: "brand" }, h("span", { class: "seal" }, icon("bell")), h("div", { class: "grow" }, h("h1", {}, S.workspace.name || "Sandbox workspace"), h("p", {}, "A local stand-in for Slack")), iconButton("close", "Close the list", () => showSide(false), "only-narrow")),
    h("button", { type: "button", class: "actor", id: "actor", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: (e) => chooseActor(e.currentTarget) },
      avatar(S.me, nameOf(S.me)), h("span", { class: "grow" }, h("small", {}, "You act as"), h("b", {}, nameOf(S.me)), h("small", { "data-clock": person?.tz ?? "UTC" }, localTime(person))), icon("down")),
    h("div", { class: "side-scroll" },
      section("Channels", iconButton("plus", "Create a channel", createChannel), h("ul", {}, mine.map(sideLink)), fold("fold-more", "Not joined", others), fold("fold-archive", "Archived", archived)),
      section("Direct messages", iconButton("plus", "Write to somebody", (e) => choosePerson(e.currentTarget)), h("ul", {}, direct.map(sideLink))),
      S.app && section("Apps", null, h("ul", {}, h("li", {}, h("a", { href: "#/home", class: `chan${place.view === "home" ? " on" : ""}`, "aria-current": place.view === "home" ? "page" : null }, avatar(S.app.user_id, S.app.name ?? "App", true, "tiny"), h("span", { class: "grow" }, S.app.name ?? nameOf(S.app.user_id)), count(appTalk())))))),
    h("div", { class: "side-foot" },
      h("button", { type: "button", class: "btn quiet", id: "wire-button", "aria-expanded": String(wireOpen()), "aria-controls": "wire", onclick: (e) => { toggleWire(); e.currentTarget.setAttribute("aria-expanded", String(wireOpen())); showSide(false); } }, icon("wire"), "Wire"),
      h("span", { class: "grow" }), iconButton("search", "Go to… (Ctrl+K)", (e) => goTo(e.currentTarget)), iconButton("moon", "Light or dark", toggleTheme)));
  side.querySelector(".side-scroll").scrollTop = scroll;
  if (focus) (document.getElementById(focus) ?? [...side.querySelectorAll("a")].find((a) => a.getAttribute("href") === focus))?.focus();
  const wanting = list.reduce((sum, c) => sum + (c.mentions ?? 0), 0);
  document.title = `${wanting ? `(${wanting}) ` : ""}${place.view === "home" ? S.app?.name : place.channel ? channelLabel(S.channels.get(place.channel)) : ""} · ${S.workspace.name}`;
}

const section = (title, tool, ...kids) => h("section", { "aria-label": title }, h("div", { class: "side-title" }, h("h2", {}, title), tool), kids);
const appTalk = () => [...S.channels.values()].find((c) => c.kind === "im" && c.user === S.app?.user_id);
const localTime = (u) => `${clockTime(now(), u?.tz)} ${zoneCity(u?.tz)}`;

function count(channel) {
  if (!channel?.unread) return null;
  return h("span", { class: `count${channel.mentions ? " loud" : ""}` }, String(channel.mentions || channel.unread), h("span", { class: "sr" }, channel.mentions ? " mentions" : " unread"));
}

function sideLink(c) {
  const here = c.id === place.channel;
  const other = c.kind === "im" ? user(c.user) : null;
  const mark = c.kind === "im" ? avatar(c.user, nameOf(c.user), isApp(c.user), "tiny") : icon(c.archived ? "archive" : c.kind === "private" ? "lock" : c.kind === "mpim" ? "people" : "hash");
  return h("li", {}, h("a", { href: `#/${c.id}`, class: `chan${here ? " on" : ""}${c.unread && !here ? " unread" : ""}${other?.deleted ? " gone" : ""}`, "aria-current": here ? "page" : null }, mark, h("span", { class: "grow" }, channelLabel(c)), here ? null : count(c)));
}

function showSide(open) {
  document.body.classList.toggle("sided", open);
  byId("side-button")?.setAttribute("aria-expanded", String(open));
  if (open) byId("actor").focus();
}

function chooseActor(anchor) {
  const people = [...S.users.values()].filter((u) => !isApp(u.id)).sort((a, b) => Boolean(a.deleted) - Boolean(b.deleted) || nameOf(a.id).localeCompare(nameOf(b.id)));
  menu(anchor, ["Act as", ...people.map((u) => ({
    label: nameOf(u.id), hint: `${u.deleted ? "Deactivated · " : ""}${u.title ? `${u.title} · ` : ""}${localTime(u)}`, node: avatar(u.id, nameOf(u.id)), checked: u.id === S.me, disabled: u.deleted, run: () => become(u.id),
  }))], { label: "Act as", cls: "cast" });
}

async function become(id) {
  if (id === S.me) return;
  S.me = id;
  sessionStorage.setItem("as", id);
  closeThread();
  feed?.close();
  feed = null;
  place = { view: null, channel: null };
  await start();
  announce(`You act as ${nameOf(id)}`);
}

async function choosePerson(anchor) {
  const people = [...S.users.values()].filter((u) => u.id !== S.me && !u.deleted).sort((a, b) => nameOf(a.id).localeCompare(nameOf(b.id)));
  menu(anchor, ["Write to", ...people.map((u) => ({ label: nameOf(u.id), hint: u.title, node: avatar(u.id, nameOf(u.id), isApp(u.id)), run: () => openDirect(u.id) }))], { label: "Write to", cls: "cast" });
}

async function openDirect(id) {
  const result = await act("open_dm", { user: id });
  if (report(result)) { await loadState(); location.hash = `#/${result.channel}`; }
}

async function createChannel() {
  const name = h("input", { class: "field", maxlength: "80", required: true, autocomplete: "off", id: "new-name", placeholder: "such-as-this" });
  const secret = h("input", { type: "checkbox" });
  name.addEventListener("input", () => { name.value = name.value.toLowerCase().replace(/\s/g, "-"); });
  const made = await ask("Create a channel", [h("label", { class: "label", for: "new-name" }, "Name"), name, h("p", { class: "hint small" }, "Small letters, digits, - and _"), h("label", { class: "choice" }, secret, h("span", {}, "Private", h("small", {}, "Only people who are invited see it")))], [["Cancel", false], ["Create", true, "primary"]], { onshow: () => name.focus() });
  if (!made || !name.value.trim()) return;
  const result = await act("create_channel", { name: name.value.trim(), private: secret.checked });
  if (report(result)) { await loadState(); location.hash = `#/${result.channel}`; }
}

function goTo(anchor) {
  const jump = combo({ name: "Go to", placeholder: "Go to", selected: [], groups: () => [
    { label: "Channels and talks", options: [...S.channels.values()].filter((c) => !c.archived).map((c) => ({ value: `#/${c.id}`, text: c.kind === "im" || c.kind === "mpim" ? channelLabel(c) : `#${c.name}` })) },
    { label: "People", options: [...S.users.values()].filter((u) => !u.deleted && u.id !== S.me).map((u) => personOption(u)) },
  ], onchange: ([o]) => { jump.remove(); if (o.value.startsWith("#")) location.hash = o.value; else openDirect(o.value); } });
  jump.classList.add("ghost");
  anchor.after(jump);
  jump.click();
}

function toggleTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const current = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  setTheme(current === "dark" ? "light" : "dark");
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  try { if (theme) localStorage.setItem("theme", theme); } catch { /* a page without storage forgets it */ }
}

// ---- the middle ----

function drawHead() {
  const head = byId("head");
  const open = h("button", { type: "button", class: "ib only-narrow", id: "side-button", "aria-label": "Channels and people", "aria-expanded": "false", onclick: () => showSide(true) }, icon("menu"));
  if (place.view === "home") {
    const talk = appTalk();
    head.replaceChildren(open, avatar(S.app?.user_id, S.app?.name ?? "App", true), h("div", { class: "grow" }, h("h2", {}, S.app?.name ?? "App")), h("div", { class: "tabs" }, h("a", { href: "#/home", "aria-current": "page" }, "Home"), talk ? h("a", { href: `#/${talk.id}` }, "Messages") : h("button", { type: "button", onclick: () => openDirect(S.app.user_id) }, "Messages")));
    return;
  }
  const c = S.channels.get(place.channel);
  if (!c) { head.replaceChildren(open, h("h2", { class: "grow" }, "No such channel")); return; }
  const direct = c.kind === "im";
  const app = direct && c.user === S.app?.user_id;
  const pins = c.pins?.length ?? 0;
  const members = h("button", { type: "button", class: "btn quiet", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: () => showMembers(members, c) }, icon("people"), h("span", {}, String(c.members?.length ?? 0)), h("span", { class: "sr" }, " members"));
  const pinned = h("button", { type: "button", class: "btn quiet", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: () => showPins(pinned, c) }, icon("pin"), h("span", {}, String(pins)), h("span", { class: "sr" }, " pinned"));
  head.replaceChildren(...[open,
    direct ? avatar(c.user, nameOf(c.user), isApp(c.user)) : null,
    h("div", { class: "grow name" }, h("h2", {}, direct ? null : icon(c.archived ? "archive" : c.kind === "private" ? "lock" : c.kind === "mpim" ? "people" : "hash"), h("span", {}, channelLabel(c))),
      h("p", { class: "topic", title: plain(c.topic).map((n) => n.textContent ?? n).join("") }, direct ? [user(c.user)?.title, user(c.user)?.title && " · ", h("span", { "data-clock": user(c.user)?.tz ?? "UTC" }, localTime(user(c.user)))] : c.topic ? mrkdwnLine(c.topic) : h("span", { class: "hint" }, c.purpose || "No topic"))),
    app ? h("div", { class: "tabs" }, h("a", { href: "#/home" }, "Home"), h("a", { href: `#/${c.id}`, "aria-current": "page" }, "Messages")) : null,
    pins ? pinned : null, direct ? null : members].filter(Boolean));
  if (c.bookmarks?.length) head.append(h("ul", { class: "bookmarks", "aria-label": "Bookmarks" }, c.bookmarks.map((b) => h("li", {}, link(b.link ?? "", b.emoji ? emoji(b.emoji.replaceAll(":", "")) : icon("out"), h("span", {}, b.title))))));
}

function showMembers(anchor, c) {
  const others = [...S.users.values()].filter((u) => !u.deleted && !c.members.includes(u.id));
  const invite = combo({ name: "Invite people", placeholder: "Invite people…", multi: true, selected: [], groups: () => [{ options: others.map(personOption) }], onchange: async (people) => { if (people.length) report(await act("invite", { channel: c.id, users: people.map((p) => p.value) })); pop.close(); } });
  const list = h("ul", {}, c.members.map((id) => h("li", {}, h("button", { type: "button", onclick: (e) => showPerson(e.currentTarget, id) }, avatar(id, nameOf(id), isApp(id)), h("span", { class: "grow" }, nameOf(id), h("small", {}, user(id)?.title ?? ""))))));
  arrows(list, "button");
  const pop = popover(anchor, h("div", { class: "members" }, h("h3", {}, `${c.members.length} in ${channelLabel(c)}`), list, c.archived || !c.member ? null : [invite, c.name === "general" ? null : h("button", { type: "button", class: "btn danger", onclick: async () => { pop.close(); report(await act("leave", { channel: c.id })); } }, "Leave channel")]), { end: true });
  list.querySelector("button")?.focus();
}

async function showPins(anchor, c) {
  const box = h("div", { class: "members pins", tabindex: "-1" }, h("h3", {}, "Pinned"), h("p", { class: "note" }, "Loading…"));
  const pop = popover(anchor, box, { end: true });
  box.focus();
  const found = await Promise.all(c.pins.slice(0, 20).map(async (ts) => {
    const here = feed?.items.get(ts)?.message;
    return here ?? (await get("/_control/messages", { channel: c.id, limit: 1, before: `${ts}1` })).messages?.at(-1);
  }));
  box.replaceChildren(h("h3", {}, "Pinned"), h("ul", {}, found.filter(Boolean).map((m) => h("li", {}, h("a", { href: `#/${c.id}/${m.ts}`, onclick: () => pop.close() }, avatar(m.user, nameOf(m.user), isApp(m.user)), h("span", { class: "grow" }, h("small", {}, `${m.username || nameOf(m.user)} · ${dayLabel(tsMs(m.ts))} ${clockTime(tsMs(m.ts))}`), h("span", { class: "clip" }, preview(m))))))));
  pop.place();
  box.querySelector("a")?.focus();
}

function showPerson(anchor, id) {
  const u = user(id);
  if (!u) return;
  const human = !isApp(id);
  const pop = popover(anchor, h("div", { class: "person" }, h("div", { class: "row" }, avatar(id, nameOf(id), !human, "big"), h("div", { class: "grow" }, h("h3", {}, nameOf(id)), h("p", {}, `@${u.name}`), u.title && h("p", {}, u.title), h("p", { class: "hint" }, u.deleted ? "Deactivated" : human ? localTime(u) : "App"))),
    h("div", { class: "row" }, !u.deleted && id !== S.me && h("button", { type: "button", class: "btn", onclick: () => { pop.close(); openDirect(id); } }, "Message"),
      human && !u.deleted && id !== S.me && h("button", { type: "button", class: "btn primary", onclick: () => { pop.close(); become(id); } }, "Act as"),
      human && id !== S.me && h("button", { type: "button", class: `btn ${u.deleted ? "" : "danger"}`, onclick: async () => { pop.close(); if (report(await act("user", { id, deleted: !u.deleted }))) dirty({ kind: "users" }); } }, u.deleted ? "Reactivate" : "Deactivate"))));
  pop.el.querySelector("button")?.focus();
}

function drawWrite() {
  const root = byId("write");
  const c = S.channels.get(place.channel);
  const state = place.view === "home" || !c ? "none" : c.archived ? "archived" : c.member || c.kind === "im" || c.kind === "mpim" ? "open" : "join";
  const key = `${S.me}:${place.channel}:${state}`;
  if (root.dataset.key === key) return;
  root.dataset.key = key;
  if (state === "none") return root.replaceChildren();
  if (state === "archived") return root.replaceChildren(h("p", { class: "barrier" }, icon("archive"), `#${c.name} is archived: it can be read, not written.`));
  if (state === "join") return root.replaceChildren(h("p", { class: "barrier" }, h("span", { class: "grow" }, `You are looking at #${c.name}.`), h("button", { type: "button", class: "btn primary", onclick: async () => report(await act("join", { channel: c.id })) }, "Join channel")));
  const label = c.kind === "im" ? `Message ${nameOf(c.user)}` : `Message ${c.kind === "mpim" ? channelLabel(c) : `#${c.name}`}`;
  root.replaceChildren(h("div", { class: "typing", id: "typing", "aria-live": "polite" }), new Composer({ channel: c.id, label, working: (on) => showTyping({ channel: c.id, stop: !on }), sent: () => { feed?.toEnd(); dirty({ kind: "message", channel: c.id }); } }).root);
}

let typingTimer = 0;
function showTyping(event) {
  if (event.channel && event.channel !== place.channel) return;
  const line = byId("typing");
  if (!line) return;
  clearTimeout(typingTimer);
  if (event.stop) return void line.replaceChildren();
  line.replaceChildren(h("i", {}), h("i", {}), h("i", {}), event.text || `${S.app?.name ?? "The app"} is typing`);
  typingTimer = setTimeout(() => line.replaceChildren(), 4000);
}

function markRead(list) {
  const c = S.channels.get(place.channel);
  const last = list.order.at(-1);
  if (!c || !c.unread || !last || !list.stick || document.hidden || list !== feed || c.readTo === last) return;
  c.readTo = last;
  act("read", { channel: c.id, ts: last }).then((r) => { if (r.ok) dirty({ kind: "channel" }); });
}

async function route() {
  const [, where, ts] = location.hash.match(/^#\/(\w+)(?:\/([\d.]+))?/) ?? [];
  showSide(false);
  if (where === "home") {
    if (place.view === "home") return;
    leave();
    place = { view: "home", channel: null };
    const root = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "App home" });
    byId("stage").replaceChildren(root);
    drawSide(); drawHead(); drawWrite();
    await drawHome(root, true);
    return;
  }
  const target = S.channels.has(where) ? where : firstChannel();
  if (!target) { place = { view: null, channel: null }; drawSide(); drawHead(); drawWrite(); return; }
  if (where !== target) history.replaceState(null, "", `#/${target}`);
  if (place.channel === target && feed) {
    if (ts) { await feed.reach(ts); if (feed.items.has(ts)) feed.flash(ts); else toast("That message is not here any more.", "error"); }
    return;
  }
  leave();
  const c = S.channels.get(target);
  place = { view: "channel", channel: target };
  feed = new Feed({ channel: target, openThread, showPerson, onload: markRead });
  byId("stage").replaceChildren(feed.root);
  drawSide(); drawHead(); drawWrite();
  await feed.load({ unread: c.unread ?? 0, target: ts });
  if (ts && !feed.items.has(ts)) openThreadOf(target, ts);
  if (matchMedia("(hover: hover)").matches && !document.querySelector("dialog[open]") && !ts) byId("write").querySelector("textarea")?.focus();
}

/** A link to a reply has no message in the channel: its thread is asked for instead. */
async function openThreadOf(channel, ts) {
  const page = await get("/_control/thread", { channel, ts });
  const parent = page.messages?.[0];
  if (parent) openThread(channel, parent.thread_ts ?? parent.ts);
  else toast("That message is not here any more.", "error");
}

function leave() {
  feed?.close();
  feed = null;
  closeThread();
}

function firstChannel() {
  const usable = [...S.channels.values()].filter((c) => !c.archived && c.kind !== "im" && c.kind !== "mpim");
  return (usable.find((c) => c.member && c.mentions) ?? usable.find((c) => c.member && c.name === "incidents") ?? usable.find((c) => c.member) ?? usable[0])?.id;
}

// ---- the thread ----

async function openThread(channel, ts) {
  closeThread();
  const panel = byId("panel");
  thread = new Feed({ channel, thread: ts, openThread, showPerson });
  const c = S.channels.get(channel);
  const composer = c?.archived ? null : new Composer({ channel, thread: ts, label: "Reply", sent: () => { thread?.toEnd(); dirty({ kind: "message", channel, ts }); } });
  panel.replaceChildren(h("header", { class: "head" }, h("div", { class: "grow" }, h("h2", {}, "Thread"), h("p", { class: "topic" }, c?.kind === "im" ? channelLabel(c) : `#${channelLabel(c)}`)), iconButton("close", "Close the thread", closeThread)), h("div", { class: "stage" }, thread.root), h("div", { class: "write" }, composer?.root ?? ""));
  panel.hidden = false;
  await thread.load();
  composer?.area.focus();
}

function closeThread() {
  if (!thread) return;
  const { thread: ts } = thread;
  thread.close();
  thread = null;
  byId("panel").hidden = true;
  byId("panel").replaceChildren();
  feed?.items.get(ts)?.node.focus({ preventScroll: true });
}

// ---- what changed: collected for a moment, then asked for once ----

const pending = { kinds: new Set(), changed: new Map() };
let flushing = false;
let flushTimer = 0;

function dirty(event) {
  pending.kinds.add(event.kind);
  if (event.kind === "message" && event.channel) pending.changed.set(event.channel, [...(pending.changed.get(event.channel) ?? []), ...(event.ts ? [event.ts] : [])]);
  if (!flushTimer && !flushing) flushTimer = setTimeout(flush, 40);
}

async function flush() {
  flushTimer = 0;
  flushing = true;
  const kinds = new Set(pending.kinds);
  const changed = new Map(pending.changed);
  pending.kinds.clear();
  pending.changed.clear();
  const work = [];
  const here = changed.has(place.channel) || kinds.has("all");
  if (kinds.has("views") || kinds.has("all")) work.push(syncViews());
  if ((kinds.has("home") || kinds.has("all")) && place.view === "home") work.push(drawHome(byId("stage").firstElementChild, false));
  if (here && feed) work.push(feed.refresh(changed.get(place.channel)));
  if (thread && (changed.has(thread.channel) || kinds.has("all"))) work.push(thread.refresh());
  if (["channel", "users", "clock", "message", "all"].some((k) => kinds.has(k))) {
    if (!kinds.has("message") || kinds.size > 1 || !here || changed.size > 1 || performance.now() - loadedAt > 1000) work.push(stateAgain());
    else setTimeout(() => dirty({ kind: "channel" }), 1000);
  }
  if (kinds.has("clock") || kinds.has("all")) work.push(refreshStory());
  if (wireOpen()) pull();
  await Promise.allSettled(work);
  flushing = false;
  if (pending.kinds.size) flushTimer = setTimeout(flush, 40);
}

async function stateAgain() {
  loadedAt = performance.now();
  const mentions = new Map([...S.channels.values()].map((c) => [c.id, c.mentions ?? 0]));
  const pins = S.channels.get(place.channel)?.pins ?? [];
  const state = await loadState();
  if (!state.ok) return;
  for (const c of S.channels.values()) if (c.id !== place.channel && (c.mentions ?? 0) > (mentions.get(c.id) ?? 0)) toast(`${c.kind === "im" ? "New message from" : "You are mentioned in"} ${channelLabel(c)}`, "info", () => { location.hash = `#/${c.id}`; });
  if (place.channel && !S.channels.has(place.channel)) return void route();
  drawSide(); drawHead(); drawWrite();
  const pinned = S.channels.get(place.channel)?.pins ?? [];
  const moved = [...pins, ...pinned].filter((ts) => pins.includes(ts) !== pinned.includes(ts));
  if (feed && moved.length) await feed.refresh(moved);
  if (feed) markRead(feed);
}

function listen() {
  stream?.close();
  stream = new EventSource(`/_control/stream?as=${encodeURIComponent(S.me)}`);
  let lost = false;
  stream.addEventListener("open", () => { if (lost) { lost = false; document.body.classList.remove("lost"); dirty({ kind: "all" }); } });
  stream.addEventListener("error", () => {
    lost = true;
    document.body.classList.add("lost");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
  stream.addEventListener("change", ({ data }) => {
    let event;
    try { event = JSON.parse(data); } catch { return; }
    if (event.kind === "typing") showTyping(event);
    else if (event.kind === "error") toast(event.text ?? "A delivery failed.", "error");
    else dirty(event);
  });
}

// ---- beginning ----

async function start() {
  const state = await loadState();
  if (!state.ok) {
    byId("stage").replaceChildren(h("div", { class: "empty" }, icon("bell"), h("h2", {}, "The sandbox does not answer"), h("p", {}, state.error), h("button", { type: "button", class: "btn primary", onclick: start }, "Try again")));
    return;
  }
  sessionStorage.setItem("as", S.me);
  document.body.classList.remove("lost");
  listen();
  await route();
  await syncViews();
}

addEventListener("hashchange", route);
addEventListener("focus", () => feed && markRead(feed));
document.addEventListener("visibilitychange", () => feed && markRead(feed));
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k" && !document.querySelector("dialog[open]")) { event.preventDefault(); goTo(byId("actor")); }
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open],[popover]")) { if (document.body.classList.contains("sided")) showSide(false); else if (thread && byId("panel").contains(event.target)) closeThread(); }
});
byId("main").addEventListener("click", () => document.body.classList.contains("sided") && showSide(false), true);
byId("stage").addEventListener("click", (event) => { const person = event.target.closest(".home [data-user], .head [data-user]"); if (person) showPerson(person, person.dataset.user); });
setInterval(() => { for (const el of document.querySelectorAll("[data-clock]")) { const text = localTime({ tz: el.dataset.clock }); if (el.textContent !== text) el.textContent = text; } }, 1000);

try { setTheme(localStorage.getItem("theme")); } catch { /* the system's theme it is */ }
const wanted = new URLSearchParams(location.search).get("as");
S.me = wanted || sessionStorage.getItem("as");
// Permalinks of the sandbox, /archives/C…/p…, are served the page as well.
const permalink = location.pathname.match(/^\/archives\/(\w+)(?:\/p(\d{10})(\d{6}))?/);
if (permalink) history.replaceState(null, "", `/#/${permalink[1]}${permalink[2] ? `/${permalink[2]}.${permalink[3]}` : ""}`);
if (wanted) history.replaceState(null, "", `/${location.hash}`);
await start();
await startStory(() => dirty({ kind: "clock" }));
