// A list of messages: a channel's or a thread's. It is changed in place: what the server sends again unchanged is not drawn again.

import { h, icon, menu, popover, ask, toast, announce } from "./dom.js";
import { S, get, act, user, nameOf, isApp, now, tsMs, clockTime, dayKey, dayLabel, format, myZone, channelLabel } from "./store.js";
import { mrkdwn, plain, emoji, words, EMOJI } from "./text.js";
import { renderBlocks, interactive, attachment, fileNode } from "./blocks.js";
import { toWire, fromWire } from "./composer.js";

const PAGE = 100;
const QUICK = ["memo", "pushpin", "eyes", "white_check_mark", "x", "ballot_box_with_check", "thumbsup", "fire", "tada", "heart", "thinking_face", "rotating_light"];
const KEEP = 3000;

/** Ephemeral messages people have dismissed here; only this page forgets them. */
const dismissed = new Set();

export class Feed {
  constructor({ channel, thread = null, openThread, showPerson, onload }) {
    Object.assign(this, { channel, thread, openThread, showPerson, onload });
    this.items = new Map();
    this.order = [];
    this.more = false;
    this.stick = true;
    this.unseen = 0;
    this.newFrom = null;
    this.list = h("ol", { class: "msgs", "aria-label": thread ? "Replies" : "Messages" });
    this.jump = h("button", { type: "button", class: "jump", hidden: true, onclick: () => this.toEnd() });
    this.top = h("div", { class: "feed-top" });
    this.scroller = h("div", { class: "scroller" }, this.top, this.list);
    this.root = h("div", { class: `feed${thread ? " replies-feed" : ""}` }, this.scroller, this.jump);
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.list.addEventListener("pointerover", (e) => this.point(e.target.closest(".msg")));
    this.list.addEventListener("focusin", (e) => this.point(e.target.closest(".msg")));
    this.list.addEventListener("click", (e) => this.clicked(e));
    this.list.addEventListener("keydown", (e) => this.keys(e));
    this.bar = this.toolbar();
    this.watch = new ResizeObserver(() => { if (this.stick) this.scroller.scrollTop = this.scroller.scrollHeight; });
    this.watch.observe(this.list);
    this.watch.observe(this.scroller);
  }

  close() { this.watch.disconnect(); this.closed = true; }

  fetch(params) {
    return this.thread ? get("/_control/thread", { channel: this.channel, ts: this.thread }) : get("/_control/messages", { channel: this.channel, ...params });
  }

  async load({ unread = 0, target = null } = {}) {
    this.list.setAttribute("aria-busy", "true");
    const page = await this.fetch({ limit: Math.max(PAGE, Math.min(unread + 20, 500)) });
    this.list.removeAttribute("aria-busy");
    if (this.closed) return;
    if (!page.ok) { this.top.replaceChildren(h("p", { class: "note" }, page.error)); return; }
    const list = page.messages ?? [];
    const others = list.filter((m) => m.user !== S.me && !m.ephemeral);
    if (unread > 0 && !this.thread) this.newFrom = others.at(-Math.min(unread, others.length))?.ts ?? null;
    this.more = Boolean(page.has_more);
    this.merge(list, true);
    this.drawTop();
    if (target && !this.items.has(target)) await this.reach(target);
    if (target && this.items.has(target)) this.flash(target);
    else this.toEnd();
    this.onload?.(this);
  }

  /** Loads older pages until the message is there; a bound keeps a wrong link from loading everything. */
  async reach(ts) {
    for (let round = 0; round < 30 && this.more && !this.items.has(ts); round += 1) await this.older();
  }

  flash(ts) {
    const node = this.items.get(ts).node;
    this.stick = false;
    node.scrollIntoView({ block: "center" });
    node.classList.add("flash");
    node.focus({ preventScroll: true });
    setTimeout(() => node.classList.remove("flash"), 2500);
  }

  async older() {
    if (this.loading || !this.more || !this.order.length) return;
    this.loading = true;
    const page = await this.fetch({ limit: PAGE, before: this.order[0] });
    this.loading = false;
    if (this.closed || !page.ok) return;
    this.more = Boolean(page.has_more) && page.messages.length > 0;
    this.hold(() => { this.merge(page.messages, false); this.drawTop(); });
    requestAnimationFrame(() => this.scrolled());
  }

  /** Fetches what may have changed: the newest part, and older single messages named by `changed`. */
  async refresh(changed = []) {
    const known = this.order.at(-1) ?? "";
    const behind = (p) => !this.thread && p.ok && p.has_more && p.messages[0]?.ts > known;
    let page = await this.fetch({ limit: 40 });
    if (behind(page)) page = await this.fetch({ limit: 500 });
    if (this.closed || !page.ok) return;
    const fresh = page.messages ?? [];
    let older = [];
    if (!this.thread && fresh.length) {
      const replies = changed.filter((ts) => ts >= fresh[0].ts && !this.items.has(ts) && !fresh.some((m) => m.ts === ts)).slice(-5);
      const threads = await Promise.all(replies.map((ts) => get("/_control/thread", { channel: this.channel, ts })));
      const parents = threads.map((t) => t.messages?.[0]?.thread_ts).filter(Boolean);
      const wanted = [...new Set([...changed, ...parents])].filter((ts) => ts < fresh[0].ts && this.items.has(ts)).slice(0, 10);
      older = await Promise.all(wanted.map((ts) => this.fetch({ limit: 1, before: justAfter(ts) })));
      wanted.forEach((ts, i) => { if (older[i].ok && older[i].messages[0]?.ts !== ts) this.remove(ts); });
      if (behind(page)) { this.clear(); this.more = true; }
    }
    if (this.closed) return;
    const oldest = fresh[0]?.ts;
    this.hold(() => {
      const present = new Set(fresh.map((m) => m.ts));
      for (const ts of [...this.order]) if ((this.thread || !page.has_more || ts >= oldest) && !present.has(ts)) this.remove(ts);
      this.merge(older.flatMap((p) => p.messages ?? []), false);
      this.merge(fresh, !this.thread || this.stick);
      if (!page.has_more && !this.thread) { this.more = false; this.drawTop(); }
    });
    const news = fresh.filter((m) => m.ts > known && m.user !== S.me);
    for (const m of news.slice(-3)) announce(`${m.ephemeral ? "Only to you, " : ""}${m.username || nameOf(m.user)}: ${preview(m)}`);
    if (this.stick) this.toEnd();
    else if (news.length) { this.unseen += news.length; this.drawJump(); }
    this.onload?.(this);
  }

  clear() { for (const ts of [...this.order]) this.remove(ts); }

  /** Runs a change while what the reader looks at stays where it is. */
  hold(change) {
    if (this.stick) return change();
    const edge = this.scroller.getBoundingClientRect().top;
    const kept = [...this.list.children].find((n) => n.dataset.ts && n.getBoundingClientRect().bottom > edge);
    const was = kept?.getBoundingClientRect().top ?? 0;
    change();
    if (kept?.isConnected) this.scroller.scrollTop += kept.getBoundingClientRect().top - was;
  }

  merge(messages, trim) {
    const touched = new Set();
    for (const message of messages) {
      if (dismissed.has(message.ts) && message.ephemeral) continue;
      const json = JSON.stringify(message);
      const item = this.items.get(message.ts);
      if (item?.json === json) continue;
      const node = this.draw(message);
      if (item) {
        const focus = item.node.contains(document.activeElement) ? document.activeElement : null;
        const address = focus && focusAddress(focus);
        const wasBar = item.node.contains(this.bar);
        item.node.replaceWith(node);
        Object.assign(item, { message, json, node });
        if (wasBar) this.point(node);
        if (focus) restoreFocus(node, address);
      } else {
        const at = this.place(message.ts);
        const next = this.items.get(this.order[at]);
        this.list.insertBefore(node, next ? next.day ?? next.node : null);
        this.order.splice(at, 0, message.ts);
        this.items.set(message.ts, { message, json, node, day: null });
      }
      touched.add(message.ts);
    }
    if (trim && this.order.length > KEEP) { for (const ts of this.order.slice(0, this.order.length - KEEP)) this.remove(ts); this.more = true; }
    for (const ts of touched) this.settle(this.order.indexOf(ts));
    if (touched.size && !this.current?.isConnected) this.rove(this.items.get(this.order.at(-1))?.node);
  }

  place(ts) {
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.order[mid] < ts) low = mid + 1; else high = mid;
    }
    return low;
  }

  /** Day line, "new" line and grouping of the message at `at` and of the one after it. */
  settle(at) {
    for (const i of [at, at + 1]) {
      const item = this.items.get(this.order[i]);
      if (!item) continue;
      const previous = this.items.get(this.order[i - 1])?.message;
      const { message } = item;
      const ms = tsMs(message.ts);
      const newDay = !this.thread && (!previous || dayKey(tsMs(previous.ts)) !== dayKey(ms));
      const isNew = message.ts === this.newFrom;
      const root = this.thread && i === 0;
      if (item.day && !(newDay || isNew)) { item.day.remove(); item.day = null; }
      if ((newDay || isNew) && !item.day) {
        item.day = h("li", { class: `day${isNew ? " new" : ""}` }, h("span", {}, newDay ? dayLabel(ms) : "", isNew && newDay ? " · " : "", isNew ? "New" : ""));
        item.node.before(item.day);
      }
      const joined = previous && !newDay && !isNew && !root && previous.user === message.user && (previous.username ?? "") === (message.username ?? "") && !previous.ephemeral === !message.ephemeral
        && ms - tsMs(previous.ts) < 300000 && !(this.thread && i === 1) && !quiet(message) && !quiet(previous) && !(isApp(message.user) && message.blocks);
      item.node.classList.toggle("joined", Boolean(joined));
    }
  }

  remove(ts) {
    const item = this.items.get(ts);
    if (!item) return;
    item.day?.remove();
    if (item.node.contains(this.bar)) this.bar.remove();
    item.node.remove();
    const at = this.place(ts);
    this.order.splice(at, 1);
    this.items.delete(ts);
    this.settle(at);
  }

  drawTop() {
    const channel = S.channels.get(this.channel);
    if (this.thread || !channel) return;
    const name = channelLabel(channel);
    this.top.replaceChildren(this.more
      ? h("p", { class: "note" }, "Older messages load as you scroll up.")
      : h("div", { class: "beginning" }, h("h2", {}, channel.kind === "im" ? name : `#${name}`), h("p", {}, channel.kind === "im" ? `This is the start of your talk with ${name}.` : channel.purpose ? plain(channel.purpose) : `This is the start of #${name}.`)));
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.stick = scrollHeight - scrollTop - clientHeight < 48;
    if (this.stick) { this.unseen = 0; this.onload?.(this); }
    this.drawJump();
    if (scrollTop < 400) this.older();
  }

  drawJump() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.jump.hidden = scrollHeight - scrollTop - clientHeight < 240 && !this.unseen;
    const text = this.unseen ? `${this.unseen} new ${this.unseen === 1 ? "message" : "messages"}` : "Jump to newest";
    if (this.jump.dataset.text !== text) { this.jump.dataset.text = text; this.jump.replaceChildren(icon("arrowDown"), text); }
  }

  toEnd() {
    this.stick = true;
    this.unseen = 0;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.drawJump();
  }

  // ---- one message ----

  draw(message) {
    const { ts } = message;
    const app = isApp(message.user) || Boolean(message.bot_id);
    const ctx = { container: { type: "message", channel: this.channel, ts }, key: `m:${this.channel}:${ts}`, channel: this.channel };
    const who = message.username || nameOf(message.user);
    const time = clockTime(tsMs(ts));
    const full = format(tsMs(ts), myZone(), { dateStyle: "full", timeStyle: "long" });
    const stamp = h("a", { class: "stamp", href: `#/${this.channel}/${ts}`, title: full, tabindex: "-1" }, h("time", { datetime: new Date(tsMs(ts)).toISOString() }, time));
    if (quiet(message)) {
      return h("li", { class: "msg quiet", tabindex: "-1", "data-ts": ts }, h("div", { class: "gutter" }), h("div", { class: "body" }, message.text?.startsWith(`<@${message.user}`) ? null : [h("b", {}, who), " "], mrkdwn(message.text).flatMap((n) => [...n.childNodes]), " ", stamp));
    }
    const card = app && interactive(message.blocks);
    const text = message.blocks?.length ? renderBlocks(message.blocks, ctx) : mrkdwn(message.text);
    const edited = message.edited && h("span", { class: "edited", title: message.edited.ts ? clockTime(tsMs(message.edited.ts)) : null }, "(edited)");
    return h("li", { class: `msg${message.ephemeral ? " ephemeral" : ""}${message.pinned ? " pinned" : ""}${mentionsMe(message) ? " tome" : ""}`, tabindex: "-1", "data-ts": ts },
      message.ephemeral && h("div", { class: "flag" }, icon("eye"), "Only visible to you", h("button", { type: "button", class: "linkish", "data-do": "dismiss" }, "Dismiss")),
      message.pinned && h("div", { class: "flag" }, icon("pin"), "Pinned"),
      !message.ephemeral && message.subtype === "thread_broadcast" && h("div", { class: "flag" }, icon("thread"), "Also sent to the channel"),
      h("div", { class: "gutter" }, avatar(message.user, who, app, "", message.icons?.emoji && emoji(message.icons.emoji.replaceAll(":", ""))), stamp.cloneNode(true)),
      h("div", { class: "body" },
        h("div", { class: "by" }, h("button", { type: "button", class: "who", tabindex: "-1", "data-user": message.user }, who), app && h("span", { class: "badge" }, "App"), user(message.user)?.deleted && h("span", { class: "badge dull" }, "Deactivated"), stamp),
        h("div", { class: `text${card ? " card" : ""}` }, text, edited),
        message.attachments?.map((item, n) => attachment(item, { ...ctx, key: `${ctx.key}:${n}` })),
        message.files?.length ? h("div", { class: "files" }, message.files.map(fileNode)) : null,
        this.reactions(message),
        !this.thread && message.reply_count > 0 && h("button", { type: "button", class: "replies", "data-do": "thread" }, icon("thread"), h("b", {}, `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`), message.latest_reply && h("span", {}, `last ${dayKey(tsMs(message.latest_reply)) === dayKey(now()) ? "" : `${dayLabel(tsMs(message.latest_reply))} `}${clockTime(tsMs(message.latest_reply))}`))));
  }

  reactions(message) {
    if (!message.reactions?.length) return null;
    return h("div", { class: "reactions" }, message.reactions.map((r) => {
      const mine = r.users.includes(S.me);
      const names = r.users.map(nameOf).join(", ");
      return h("button", { type: "button", class: "reaction", "aria-pressed": String(mine), "data-react": r.name, title: `${names} reacted with :${r.name}:`, "aria-label": `${r.name.replaceAll("_", " ")}, ${r.users.length}: ${names}` }, emoji(r.name), h("span", {}, String(r.users.length)));
    }), h("button", { type: "button", class: "reaction add", "data-do": "react", "aria-label": "Add reaction", title: "Add reaction" }, icon("smile")));
  }

  // ---- pointing, keys, menus: one toolbar for the whole list ----

  toolbar() {
    return h("div", { class: "tools", role: "toolbar", "aria-label": "Message" },
      ["memo", "pushpin", "eyes", "white_check_mark"].map((name) => h("button", { type: "button", class: "ib quick", "data-react": name, "aria-label": `React with ${name.replaceAll("_", " ")}`, title: `:${name}:` }, emoji(name))),
      h("button", { type: "button", class: "ib", "data-do": "react", "aria-label": "Add reaction", title: "Add reaction" }, icon("smile")),
      this.thread ? null : h("button", { type: "button", class: "ib", "data-do": "thread", "aria-label": "Reply in thread", title: "Reply in thread" }, icon("thread")),
      h("button", { type: "button", class: "ib", "data-do": "menu", "aria-label": "More message actions", "aria-haspopup": "menu", title: "More" }, icon("more")));
  }

  point(node) {
    if (!node || node.classList.contains("quiet") || this.bar.parentElement === node || node.classList.contains("editing")) return;
    if (this.bar.contains(document.activeElement)) {
      if (document.querySelector("[popover]")) return;
      this.bar.parentElement.focus({ preventScroll: true });
    }
    this.bar.classList.toggle("private", node.classList.contains("ephemeral"));
    node.append(this.bar);
  }

  rove(node) {
    if (!node) return;
    if (this.current) this.current.tabIndex = -1;
    this.current = node;
    node.tabIndex = 0;
  }

  keys(event) {
    const node = event.target;
    if (!node.classList?.contains("msg")) {
      if (event.key === "Escape" && this.bar.contains(node)) this.bar.parentElement.focus();
      return;
    }
    if (event.key === "Enter") { event.preventDefault(); this.bar.querySelector("[data-do=menu]").click(); return; }
    const at = this.order.indexOf(node.dataset.ts);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: this.order.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = this.items.get(this.order[Math.max(0, Math.min(to, this.order.length - 1))])?.node;
    this.rove(next);
    next?.focus();
  }

  clicked(event) {
    const node = event.target.closest(".msg");
    if (!node) return;
    this.rove(node);
    const message = this.items.get(node.dataset.ts)?.message;
    const person = event.target.closest("[data-user]");
    if (person) return void this.showPerson(person, person.dataset.user);
    const control = event.target.closest("[data-do],[data-react]");
    if (!control || !message) return;
    if (control.dataset.react) return void this.react(message, control.dataset.react);
    const run = { react: () => this.pickReaction(control, message), thread: () => this.openThread(this.channel, message.thread_ts ?? message.ts), menu: () => this.menu(control, message), dismiss: () => { dismissed.add(message.ts); this.remove(message.ts); } };
    run[control.dataset.do]?.();
  }

  async react(message, name) {
    const mine = message.reactions?.some((r) => r.name === name && r.users.includes(S.me));
    report(await act(mine ? "unreact" : "react", { channel: this.channel, ts: message.ts, name }));
  }

  pickReaction(anchor, message) {
    const filter = h("input", { class: "field", "aria-label": "Find an emoji", placeholder: "Find an emoji", autocomplete: "off" });
    const grid = h("div", { class: "emoji-grid" });
    const fill = () => {
      const q = filter.value.trim().replaceAll(":", "").toLowerCase();
      const names = q ? [...EMOJI.keys()].filter((n) => n.includes(q)).slice(0, 48) : QUICK;
      grid.replaceChildren(...names.map((n) => h("button", { type: "button", class: "ib", "aria-label": n.replaceAll("_", " "), title: `:${n}:`, onclick: () => { pop.close(); this.react(message, n); } }, emoji(n))));
    };
    filter.addEventListener("input", fill);
    filter.addEventListener("keydown", (e) => { if (e.key === "Enter") { e.preventDefault(); grid.querySelector("button")?.click(); } });
    fill();
    const pop = popover(anchor, h("div", { class: "emoji-box" }, filter, grid), { end: true });
    grid.querySelector("button").focus();
  }

  menu(anchor, message) {
    const own = message.user === S.me;
    const permalink = { channel: this.channel, ts: message.ts };
    const shortcuts = message.ephemeral ? [] : S.shortcuts.filter((s) => s.type === "message");
    menu(anchor, [
      ...(shortcuts.length ? [S.app?.name ?? "Shortcuts", ...shortcuts.map((s) => ({ label: s.name, icon: "bell", run: async () => report(await act("shortcut", { callback_id: s.callback_id, ...permalink })) })), "-"] : []),
      ...(this.thread || message.ephemeral ? [] : [{ label: "Reply in thread", icon: "thread", run: () => this.openThread(this.channel, message.thread_ts ?? message.ts) }]),
      { label: "Copy link", icon: "out", run: () => copyLink(permalink) },
      ...(message.ephemeral ? [] : [{ label: message.pinned ? "Unpin from channel" : "Pin to channel", icon: "pin", run: async () => report(await act(message.pinned ? "unpin" : "pin", permalink)) }]),
      ...(user(message.user) ? [{ label: `About ${nameOf(message.user)}`, icon: "people", run: () => this.showPerson(this.items.get(message.ts).node.querySelector(".who"), message.user) }] : []),
      ...(own && !message.ephemeral ? ["-", { label: "Edit message", icon: "edit", run: () => this.edit(message) }, { label: "Delete message", icon: "bin", danger: true, run: () => this.erase(message) }] : []),
    ], { end: true, label: "Message actions" });
  }

  edit(message) {
    const item = this.items.get(message.ts);
    const start = fromWire(message.text);
    const area = h("textarea", { class: "field", rows: String(Math.min(8, start.text.split("\n").length + 1)), "aria-label": "Edit message", value: start.text });
    const stop = () => { item.node.replaceWith(item.node = this.draw(item.message)); this.settle(this.order.indexOf(message.ts)); this.rove(item.node); item.node.focus({ preventScroll: true }); };
    const save = async () => { const result = await act("edit", { channel: this.channel, ts: message.ts, text: toWire(area.value, start.names) }); if (report(result)) stop(); };
    area.addEventListener("keydown", (e) => {
      if (e.key === "Escape") { e.preventDefault(); stop(); }
      if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); save(); }
    });
    this.bar.remove();
    item.node.classList.add("editing");
    item.node.querySelector(".text").replaceWith(h("div", { class: "text" }, area, h("div", { class: "row" }, h("button", { type: "button", class: "btn primary", onclick: save }, "Save"), h("button", { type: "button", class: "btn", onclick: stop }, "Cancel"))));
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }

  async erase(message) {
    const sure = await ask("Delete this message?", h("blockquote", {}, preview(message)), [["Keep it", false], ["Delete", true, "danger"]]);
    if (sure) report(await act("delete", { channel: this.channel, ts: message.ts }));
  }
}

export function report(result) {
  if (!result.ok) toast(result.error ?? "That did not work.", "error");
  return result.ok;
}

/** The smallest timestamp after `ts`, for asking for exactly that message. */
function justAfter(ts) {
  const [seconds, micro] = ts.split(".");
  return micro === "999999" ? `${Number(seconds) + 1}.000000` : `${seconds}.${String(Number(micro) + 1).padStart(6, "0")}`;
}

const QUIET = new Set(["channel_join", "channel_leave", "group_join", "group_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive", "channel_unarchive", "group_topic", "group_purpose", "pinned_item", "bot_add"]);
const quiet = (message) => QUIET.has(message.subtype);

function mentionsMe(message) {
  const text = message.text ?? "";
  if (message.user === S.me) return false;
  return text.includes(`<@${S.me}`) || /<!(here|channel|everyone)/.test(text) || [...S.groups.values()].some((g) => g.users?.includes(S.me) && text.includes(`<!subteam^${g.id}`));
}

export const preview = (message) => words(mrkdwn(message.text || message.attachments?.[0]?.fallback || "")) || words(renderBlocks(message.blocks ?? [], { key: "preview" }));

/** Spreads neighbouring ids over the colour circle by the golden angle. */
const hue = (id) => Math.round(([...String(id)].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 9973, 7) * 137.508) % 360);

export function avatar(id, name, app = false, cls = "", picture = null) {
  const initials = [...name.replace(/[^\p{L}\p{N} ]/gu, "")].join("").split(/\s+/).filter(Boolean).map((w) => [...w][0]).slice(0, 2).join("").toUpperCase();
  const el = h("span", { class: `avatar ${app ? "app" : ""} ${cls}`, "aria-hidden": "true" }, picture ?? (app ? icon("bell") : initials || "?"));
  el.style.setProperty("--h", String(hue(id)));
  return el;
}

async function copyLink({ channel, ts }) {
  const link = `${location.origin}/archives/${channel}/p${ts.replace(".", "")}`;
  try {
    await navigator.clipboard.writeText(link);
    toast("Link copied.");
  } catch {
    ask("Copy this link", h("input", { class: "field", readonly: true, value: link, "aria-label": "Link", onfocus: (e) => e.target.select() }), [["Done", true, "primary"]], { onshow: (f) => f.querySelector("input").focus() });
  }
}

const focusAddress = (el) => ({ slot: el.dataset.slot, react: el.dataset.react, what: el.dataset.do, own: el.classList.contains("msg") });
function restoreFocus(node, { slot, react, what, own }) {
  const find = (attr, value) => value && [...node.querySelectorAll(`[${attr}]`)].find((n) => n.getAttribute(attr) === value);
  (own ? node : find("data-slot", slot) || find("data-react", react) || find("data-do", what) || node).focus({ preventScroll: true });
}

