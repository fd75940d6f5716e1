// The Wire: every call the app makes and every delivery it gets, as the sandbox's journal has them.

import { h, icon, iconButton, byId } from "./dom.js";
import { get, format, myZone } from "./store.js";

const KEEP = 1000;
const seen = [];
let next = 0;
let timer = 0;
let parts = null;
let loading = false;

export const wireOpen = () => !byId("wire").hidden;

export function toggleWire(open = !wireOpen()) {
  const root = byId("wire");
  root.hidden = !open;
  document.body.classList.toggle("wired", open);
  clearTimeout(timer);
  if (!open) return;
  if (!parts) build(root);
  pull();
  parts.find.focus();
}

function build(root) {
  const errors = h("input", { type: "checkbox", onchange: filter });
  const find = h("input", { class: "field", placeholder: "Filter: method, kind, text", "aria-label": "Filter the wire", oninput: filter });
  const count = h("span", { class: "hint", "aria-live": "polite" });
  const list = h("ol", { class: "wire-list", tabindex: "-1" });
  const complaints = h("ul");
  const said = h("details", { class: "complaints", hidden: true }, h("summary"), complaints);
  const rows = h("div", { class: "wire-rows", tabindex: "0", role: "region", "aria-label": "Calls and deliveries" }, said, list);
  root.replaceChildren(h("header", { class: "wire-head" }, icon("wire"), h("h2", {}, "Wire"), find, h("label", { class: "choice" }, errors, h("span", {}, "Errors only")), count, iconButton("close", "Close the wire", () => { toggleWire(false); byId("wire-button")?.focus(); })), rows);
  root.addEventListener("keydown", (e) => { if (e.key === "Escape") { toggleWire(false); byId("wire-button")?.focus(); } });
  parts = { errors, find, count, list, rows, said, complaints };
}

/** Asks for what is new, at most a few pages at once, and again in a second while the drawer is open. */
export async function pull() {
  if (!parts || !wireOpen() || loading) return;
  loading = true;
  clearTimeout(timer);
  for (let page = 0; page < 20; page += 1) {
    const result = await get("/_control/journal", { since: next, limit: 200 });
    if (!result.ok) break;
    const entries = (result.entries ?? []).filter((e) => !seen.length || e.n > seen.at(-1).n);
    add(entries);
    complain(result.complaints ?? []);
    const moved = (result.next ?? next) !== next;
    next = result.next ?? next;
    if (!entries.length || !moved) break;
  }
  loading = false;
  if (wireOpen()) timer = setTimeout(pull, 1000);
}

function add(entries) {
  if (!entries.length) return;
  const { rows, list } = parts;
  const stick = rows.scrollHeight - rows.scrollTop - rows.clientHeight < 40;
  for (const entry of entries) {
    entry.failed = entry.ok === false || Boolean(entry.error) || entry.status >= 400;
    entry.text = `${entry.kind} ${entry.method} ${entry.error ?? ""} ${JSON.stringify(entry.request)}`.toLowerCase();
    entry.node = row(entry);
    entry.node.hidden = !matches(entry);
    seen.push(entry);
  }
  list.append(...entries.map((e) => e.node));
  for (const old of seen.splice(0, Math.max(0, seen.length - KEEP))) old.node.remove();
  tally();
  if (stick) rows.scrollTop = rows.scrollHeight;
}

function row(entry) {
  const into = entry.direction === "in";
  const kind = String(entry.kind ?? "").replace("_", " ");
  const details = h("details", { class: entry.failed ? "bad" : null }, h("summary", {},
    h("span", { class: "wn" }, String(entry.n)),
    h("time", {}, entry.at ? format(Date.parse(entry.at), myZone(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }) : ""),
    h("span", { class: `way ${into ? "in" : "out"}` }, into ? "app → slack" : "slack → app"),
    h("span", { class: "kind" }, kind),
    h("b", { class: "grow" }, entry.method ?? kind),
    h("span", { class: "error" }, entry.error ?? ""),
    h("span", { class: "code" }, String(entry.status ?? "–")),
    h("span", { class: "took" }, entry.took_ms === undefined || entry.took_ms === null ? "" : `${entry.took_ms} ms`)));
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector(".json")) details.append(h("div", { class: "json" }, side("Request", entry.request), side("Response", entry.response)));
  });
  return h("li", {}, details);
}

/** What the sandbox found wrong with the app's calls though it let them pass. */
function complain(list) {
  if (list.length === parts.complaints.childElementCount) return;
  parts.complaints.replaceChildren(...list.map((text) => h("li", {}, text)));
  parts.said.hidden = !list.length;
  parts.said.firstChild.textContent = `${list.length} ${list.length === 1 ? "complaint" : "complaints"} about the app`;
}

const side = (title, value) => h("div", {}, h("h3", {}, title), h("pre", { tabindex: "0" }, paint(value)));

function paint(value) {
  if (value === undefined || value === null) return [h("span", { class: "hint" }, "empty")];
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  if (text.length > 60000) return [text.slice(0, 60000), "…"];
  const out = [];
  let at = 0;
  for (const hit of text.matchAll(/("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?/g)) {
    out.push(text.slice(at, hit.index), h("span", { class: hit[2] ? "jk" : hit[1] ? "js" : "jn" }, hit[1] ?? hit[0]), hit[2] ?? "");
    at = hit.index + hit[0].length;
  }
  return [...out, text.slice(at)];
}

function matches(entry) {
  const q = parts.find.value.trim().toLowerCase();
  return (!parts.errors.checked || entry.failed) && (!q || entry.text.includes(q));
}

function filter() {
  for (const entry of seen) entry.node.hidden = !matches(entry);
  tally();
}

function tally() {
  const bad = seen.filter((e) => e.failed).length;
  parts.count.textContent = `${seen.length} calls${bad ? `, ${bad} failed` : ""}`;
}
