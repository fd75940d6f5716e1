// The message box: completion of people, channels, commands and emoji; history; files; sending.

import { h, icon, iconButton, menu, toast, nextId } from "./dom.js";
import { S, act, nameOf, channelLabel } from "./store.js";
import { EMOJI, unescape, emoji } from "./text.js";

const drafts = new Map();
const history = [];
const FILE_BYTES_MAX = 10 * 1024 * 1024;

/** What the page itself does for a command, because in Slack these belong to the client. */
const OWN = [
  { command: "/invite", description: "Add people to this channel", usage_hint: "@person", own: true },
  { command: "/join", description: "Join a channel", usage_hint: "#channel", own: true },
  { command: "/leave", description: "Leave this channel", usage_hint: "", own: true },
];

/** Typed text with the names people picked as references; escaping the rest and finding @handles is the server's part. */
export function toWire(text, names) {
  let out = "";
  const keys = [...names.keys()].sort((a, b) => b.length - a.length);
  for (let i = 0; i < text.length; ) {
    const key = keys.find((k) => text.startsWith(k, i) && !/[\p{L}\p{N}_]/u.test(text[i + k.length] ?? ""));
    out += key ? names.get(key) : text[i];
    i += key?.length ?? 1;
  }
  return out;
}

/** mrkdwn back to what a person would have typed, with the names needed to send it again. */
export function fromWire(wire) {
  const names = new Map();
  const text = unescape(String(wire ?? "").replace(/<([^<>]+)>/g, (whole, inner) => {
    const [head, label] = inner.split("|");
    let shown = null;
    if (head.startsWith("@")) shown = `@${nameOf(head.slice(1))}`;
    else if (head.startsWith("#")) shown = `#${S.channels.get(head.slice(1))?.name ?? label ?? head.slice(1)}`;
    else if (head.startsWith("!subteam^")) shown = `@${S.groups.get(head.slice(9))?.handle ?? label}`;
    else if (/^!(here|channel|everyone)/.test(head)) shown = `@${head.slice(1)}`;
    else if (/^(https?|mailto):/.test(head) && !label) return head;
    if (!shown) return whole;
    names.set(shown, whole);
    return shown;
  }));
  return { text, names };
}

const base64 = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

export class Composer {
  constructor({ channel, thread = null, label, sent, working }) {
    Object.assign(this, { channel, thread, sent, working, names: new Map(), files: [], at: -1, shown: [], past: history.length });
    this.key = `${S.me}:${channel}:${thread ?? ""}`;
    const listId = nextId("complete");
    this.list = h("div", { class: "complete", id: listId, role: "listbox", "aria-label": "Suggestions", hidden: true });
    this.area = h("textarea", {
      class: "area", rows: "1", "aria-label": label, placeholder: label, "aria-autocomplete": "list", "aria-controls": listId,
      oninput: () => this.typed(), onkeydown: (e) => this.key_(e), onclick: () => this.suggest(), onblur: () => setTimeout(() => this.hide(), 120),
    });
    this.tray = h("div", { class: "tray", hidden: true });
    this.usage = h("div", { class: "usage", "aria-live": "polite" });
    const pick = h("input", { type: "file", multiple: true, hidden: true, tabindex: "-1", "aria-label": "Attach files", onchange: () => { this.attach([...pick.files]); pick.value = ""; } });
    const bolt = iconButton("bolt", "Shortcuts and commands", () => this.shortcuts(bolt));
    bolt.setAttribute("aria-haspopup", "menu");
    this.button = iconButton("send", "Send", () => this.send(), "send");
    this.root = h("div", { class: "composer" }, this.list, this.usage, h("div", { class: "box" }, this.area, this.tray,
      h("div", { class: "row" }, iconButton("clip", "Attach a file", () => pick.click()), thread ? null : bolt, iconButton("smile", "Emoji: type a colon", () => { this.insert(":"); this.area.focus(); this.suggest(); }), h("span", { class: "grow keys" }, "Enter sends · Shift+Enter new line"), this.button)), pick);
    this.root.addEventListener("dragover", (e) => e.preventDefault());
    this.root.addEventListener("drop", (e) => { e.preventDefault(); this.attach([...e.dataTransfer.files]); });
    this.area.addEventListener("paste", (e) => { if (e.clipboardData.files.length) { e.preventDefault(); this.attach([...e.clipboardData.files]); } });
    const draft = drafts.get(this.key);
    if (draft) { this.area.value = draft.text; this.names = draft.names; requestAnimationFrame(() => this.grow()); }
  }

  grow() {
    this.area.style.height = "auto";
    this.area.style.height = `${Math.min(this.area.scrollHeight, 220)}px`;
    this.button.classList.toggle("ready", Boolean(this.area.value.trim() || this.files.length));
  }

  typed() {
    this.grow();
    drafts.set(this.key, { text: this.area.value, names: this.names });
    this.suggest();
  }

  insert(text, from = this.area.selectionStart) {
    this.area.setRangeText(text, from, this.area.selectionEnd, "end");
    this.typed();
  }

  set(text) {
    this.area.value = text;
    this.area.setSelectionRange(text.length, text.length);
    this.typed();
  }

  // ---- completion ----

  commands() { return this.thread ? [] : [...S.commands, ...OWN.filter((o) => !S.commands.some((c) => c.command === o.command))]; }

  suggest() {
    const before = this.area.value.slice(0, this.area.selectionStart);
    const command = /^\/[\w-]*$/.exec(before);
    const name = /(^|[\s([{"'])([@#:])([\p{L}\p{N}._+-]*(?: [\p{L}]*)?)$/u.exec(before);
    const used = this.commands().find((c) => this.area.value.startsWith(`${c.command} `));
    this.usage.replaceChildren(...(used ? [h("code", {}, `${used.command} ${used.usage_hint ?? ""}`), " ", used.description ?? ""] : this.thread && before.startsWith("/") ? ["Slash commands do not work in threads. Mention the app or use a message shortcut instead."] : []));
    if (command) return this.show(this.commands().filter((c) => c.command.startsWith(command[0].toLowerCase())).map((c) => ({ from: 0, insert: `${c.command} `, node: h("span", { class: "grow" }, h("b", {}, c.command), " ", h("code", {}, c.usage_hint ?? ""), h("small", {}, c.description ?? "")), badge: c.own ? "Page" : S.app?.name })));
    if (!name) return this.hide();
    const [, , mark, typed] = name;
    const from = this.area.selectionStart - typed.length - 1;
    const q = typed.toLowerCase();
    const found = mark === "@" ? this.people(q, from) : mark === "#" ? this.channels(q, from) : typed.length > 1 ? this.emoji(q, from) : [];
    this.show(found.slice(0, 8));
  }

  people(q, from) {
    const hit = (...texts) => texts.some((t) => (t ?? "").toLowerCase().split(/[\s._-]+/).some((w) => w.startsWith(q)) || (t ?? "").toLowerCase().startsWith(q));
    const people = [...S.users.values()].filter((u) => !u.deleted && hit(u.real_name, u.name)).map((u) => ({ from, name: `@${nameOf(u.id)}`, wire: `<@${u.id}>`, node: h("span", { class: "grow" }, h("b", {}, nameOf(u.id)), " ", u.name, h("small", {}, u.title ?? "")) }));
    const groups = [...S.groups.values()].filter((g) => hit(g.handle, g.name)).map((g) => ({ from, name: `@${g.handle}`, wire: `<!subteam^${g.id}>`, node: h("span", { class: "grow" }, h("b", {}, `@${g.handle}`), h("small", {}, `${g.name}, ${g.users?.length ?? 0} people`)) }));
    const wide = ["here", "channel"].filter((w) => q && w.startsWith(q)).map((w) => ({ from, name: `@${w}`, wire: `<!${w}>`, node: h("span", { class: "grow" }, h("b", {}, `@${w}`), h("small", {}, w === "here" ? "Everybody active here" : "Everybody in this channel")) }));
    return [...people, ...groups, ...wide];
  }

  channels(q, from) {
    return [...S.channels.values()].filter((c) => !c.archived && (c.kind === "public" || c.kind === "private") && c.name.includes(q)).sort((a, b) => b.name.startsWith(q) - a.name.startsWith(q) || a.name.localeCompare(b.name))
      .map((c) => ({ from, name: `#${c.name}`, wire: `<#${c.id}>`, node: h("span", { class: "grow" }, h("b", {}, `#${c.name}`), h("small", {}, channelLabel(c) === c.name ? c.topic ?? "" : "")) }));
  }

  emoji(q, from) {
    return [...EMOJI.keys()].filter((n) => n.includes(q)).sort((a, b) => b.startsWith(q) - a.startsWith(q)).map((n) => ({ from, insert: `:${n}: `, node: h("span", { class: "grow" }, emoji(n), ` :${n}:`) }));
  }

  show(found) {
    this.shown = found;
    if (!found.length) return this.hide();
    this.list.replaceChildren(...found.map((entry, i) => {
      entry.row = h("div", { class: "option", role: "option", id: nextId("s"), "aria-selected": "false", onpointerdown: (e) => e.preventDefault(), onclick: () => this.take(i) }, entry.node, entry.badge && h("span", { class: "badge" }, entry.badge));
      return entry.row;
    }));
    this.list.hidden = false;
    this.go(0);
  }

  hide() {
    this.shown = [];
    this.at = -1;
    this.list.hidden = true;
    this.list.replaceChildren();
    this.area.removeAttribute("aria-activedescendant");
  }

  go(to) {
    this.shown[this.at]?.row.classList.remove("at");
    this.shown[this.at]?.row.setAttribute("aria-selected", "false");
    this.at = (to + this.shown.length) % this.shown.length;
    const { row } = this.shown[this.at];
    row.classList.add("at");
    row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block: "nearest" });
    this.area.setAttribute("aria-activedescendant", row.id);
  }

  take(i) {
    const entry = this.shown[i];
    this.hide();
    if (entry.name) this.names.set(entry.name, entry.wire);
    this.insert(entry.insert ?? `${entry.name} `, entry.from);
    if (!entry.insert?.startsWith("/")) this.hide();
    this.area.focus();
  }

  key_(event) {
    if (event.isComposing) return;
    const { key } = event;
    if (this.shown.length) {
      if (key === "ArrowDown" || key === "ArrowUp") { event.preventDefault(); return this.go(this.at + (key === "ArrowDown" ? 1 : -1)); }
      if (key === "Tab" || (key === "Enter" && !event.shiftKey && !this.exact())) { event.preventDefault(); return this.take(this.at); }
      if (key === "Escape") { event.preventDefault(); return this.hide(); }
    }
    if (key === "Enter" && !event.shiftKey) { event.preventDefault(); return this.send(); }
    const browsing = this.past < history.length;
    if (key === "ArrowUp" && history.length && (this.area.value === "" || browsing) && this.area.value.lastIndexOf("\n", this.area.selectionStart - 1) < 0 && this.past > 0) {
      event.preventDefault();
      this.recall(this.past - 1);
    } else if (key === "ArrowDown" && browsing) {
      event.preventDefault();
      this.recall(this.past + 1);
    }
  }

  exact() { return this.shown[this.at]?.insert?.trim() === this.area.value; }

  recall(to) {
    const entry = history[to];
    if (entry) this.names = new Map([...this.names, ...entry.names]);
    this.set(entry?.text ?? "");
    this.past = to;
    this.hide();
  }

  // ---- files and shortcuts ----

  attach(files) {
    for (const file of files) {
      if (file.size > FILE_BYTES_MAX) toast(`${file.name} is larger than 10 MB.`, "error");
      else this.files.push(file);
    }
    this.drawTray();
    this.area.focus();
  }

  drawTray() {
    this.tray.hidden = !this.files.length;
    this.tray.replaceChildren(...this.files.map((file, i) => h("span", { class: "file" }, icon("file"), h("b", {}, file.name), iconButton("close", `Remove ${file.name}`, () => { this.files.splice(i, 1); this.drawTray(); }))));
    this.grow();
  }

  shortcuts(anchor) {
    const global = S.shortcuts.filter((s) => s.type === "global");
    menu(anchor, [
      ...(global.length ? ["Shortcuts", ...global.map((s) => ({ label: s.name, hint: s.description, icon: "bell", run: async () => { const r = await act("shortcut", { callback_id: s.callback_id }); if (!r.ok) toast(r.error, "error"); } }))] : []),
      "Commands", ...this.commands().map((c) => ({ label: c.command, hint: c.description, icon: "bolt", run: () => { this.set(`${c.command} `); this.area.focus(); } })),
    ], { above: true, label: "Shortcuts and commands" });
  }

  // ---- sending ----

  async send() {
    const text = this.area.value.trim();
    if ((!text && !this.files.length) || this.busy) return;
    const command = /^\/[a-z][\w-]*/i.exec(this.area.value);
    if (command && this.thread) return void toast("Slash commands do not work in threads. Mention the app or use a message shortcut instead.", "error");
    this.busy = true;
    this.root.setAttribute("aria-busy", "true");
    if (command) this.working?.(true);
    const result = command ? await this.command(command[0], text) : await this.message(text);
    this.busy = false;
    this.root.removeAttribute("aria-busy");
    if (command) this.working?.(false);
    if (!result.ok) return void toast(result.error ?? "The message was not sent.", "error");
    if (text && history.at(-1)?.text !== text) history.push({ text, names: this.names });
    this.past = history.length;
    this.names = new Map();
    this.files = [];
    drafts.delete(this.key);
    this.area.value = "";
    this.drawTray();
    this.hide();
    this.usage.replaceChildren();
    drafts.delete(this.key);
    this.sent?.(result);
  }

  async message(text) {
    const wire = toWire(text, this.names);
    if (!this.files.length) return act("message", { channel: this.channel, text: wire, ...(this.thread ? { thread_ts: this.thread } : {}) });
    let result = { ok: true };
    for (const [i, file] of this.files.entries()) {
      result = await act("upload", { channel: this.channel, name: file.name, content_base64: await base64(file), ...(i === 0 && wire ? { comment: wire } : {}), ...(this.thread ? { thread_ts: this.thread } : {}) });
      if (!result.ok) break;
    }
    return result;
  }

  command(name, text) {
    const own = this.commands().find((c) => c.command === name)?.own;
    return own ? this.own(name, toWire(text, this.names)) : act("command", { channel: this.channel, text: toWire(text, this.names) });
  }

  async own(name, wire) {
    const find = (mark, list) => [...wire.matchAll(new RegExp(`<${mark}(\\w+)[^>]*>|${mark}([\\w.-]+)`, "g"))].map(([, id, handle]) => id ?? list.find((one) => one.name === handle)?.id).filter(Boolean);
    if (name === "/leave") return act("leave", { channel: this.channel });
    if (name === "/join") {
      const [channel] = find("#", [...S.channels.values()]);
      return channel ? act("join", { channel }) : { ok: false, error: "Name a channel, like /join #shop-ops." };
    }
    const users = find("@", [...S.users.values()]);
    return users.length ? act("invite", { channel: this.channel, users }) : { ok: false, error: "Name somebody, like /invite @ben." };
  }
}
