// Modals (the top of the stack in one dialog) and the App Home.

import { h, icon, iconButton, nextId, announce, toast } from "./dom.js";
import { S, get, act } from "./store.js";
import { plain } from "./text.js";
import { renderBlocks } from "./blocks.js";
import { collect, elementsOf, forget, valueOf } from "./elements.js";

let dialog = null;
let shown = null;
let depth = 0;

/** Draws what the server's stack holds now; an updated view keeps what was entered and where the focus was. */
export async function syncViews() {
  const result = await get("/_control/views");
  if (!result.ok) return;
  const stack = result.stack ?? [];
  const view = stack.at(-1);
  if (!view) return closeDialog();
  const json = JSON.stringify(view);
  const same = shown?.id === view.id;
  if (same && shown.json === json && depth === stack.length) return;
  if (!same && shown && !stack.some((v) => v.id === shown.id)) forget(`v:${shown.id}`);
  depth = stack.length;
  drawView(view, json, same);
}

function closeDialog() {
  if (shown) forget(`v:${shown.id}`);
  shown = null;
  depth = 0;
  dialog?.close();
}

function drawView(view, json, keep) {
  const titleId = nextId("view");
  const ctx = { container: { type: "view", view_id: view.id }, key: `v:${view.id}`, blocks: view.blocks ?? [], touched: (block) => clearError(block) };
  const focus = keep ? slotOf(document.activeElement) : null;
  const trouble = h("p", { class: "error", role: "alert", hidden: true });
  const body = h("div", { class: "sheet-body" }, trouble, renderBlocks(view.blocks, ctx));
  const submit = view.submit && h("button", { type: "submit", class: "btn primary" }, plain(view.submit));
  const form = h("form", { class: "sheet", novalidate: true, onsubmit: (e) => { e.preventDefault(); if (submit) send(view, ctx, submit, trouble); } },
    h("header", { class: "sheet-head" }, depth > 1 ? iconButton("back", "Back", () => dismiss(view)) : h("span", { class: "seal" }, icon("bell")), h("div", { class: "grow" }, h("h2", { id: titleId, class: "sheet-title" }, plain(view.title)), depth > 1 && h("small", {}, `Step ${depth}`)), iconButton("close", "Close", () => dismiss(view))),
    body,
    (submit || view.close) && h("div", { class: "sheet-foot" }, h("button", { type: "button", class: "btn", onclick: () => dismiss(view) }, view.close ? plain(view.close) : "Cancel"), submit));
  form.addEventListener("keydown", (e) => { if (e.key === "Enter" && submit && (e.ctrlKey || e.metaKey)) form.requestSubmit(); else if (e.key === "Enter" && e.target.matches("input:not([type=checkbox],[type=radio])") && !submit) e.preventDefault(); });
  if (!dialog) {
    dialog = h("dialog", { class: "dialog view" });
    dialog.addEventListener("cancel", (e) => { e.preventDefault(); if (shown) dismiss(shown.view); });
    document.body.append(dialog);
  }
  const scroll = keep ? dialog.querySelector(".sheet-body")?.scrollTop : 0;
  dialog.setAttribute("aria-labelledby", titleId);
  dialog.replaceChildren(form);
  shown = { id: view.id, json, view };
  if (!dialog.open) dialog.showModal();
  body.scrollTop = scroll ?? 0;
  if (focus) focusSlot(form, focus);
  else if (!keep) (form.querySelector("[data-focus]") ?? form.querySelector(".sheet-body :is(input,textarea,button)") ?? submit ?? form.querySelector("button"))?.focus();
}

const slotOf = (el) => el?.closest?.("[data-slot]")?.dataset.slot ?? null;
const focusSlot = (root, slot) => [...root.querySelectorAll("[data-slot]")].find((n) => n.dataset.slot === slot)?.focus();

async function dismiss(view) {
  const result = await act("close", { view_id: view.id });
  if (!result.ok) toast(result.error, "error");
  await syncViews();
}

const field = (blockId) => [...dialog.querySelectorAll("[data-block]")].find((n) => n.dataset.block === blockId);

function clearError(block) {
  const box = dialog && field(block.block_id);
  const error = box?.querySelector(".error");
  if (!error || error.hidden) return;
  error.hidden = true;
  box.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
}

function showErrors(errors, trouble) {
  const lost = [];
  let first = null;
  for (const [blockId, text] of Object.entries(errors)) {
    const box = field(blockId);
    const error = box?.querySelector(".error");
    if (!error) { lost.push(String(text)); continue; }
    error.hidden = false;
    error.replaceChildren(icon("bolt"), String(text));
    const control = box.querySelector("[data-slot]");
    control?.setAttribute("aria-invalid", "true");
    first ??= control?.matches("fieldset") ? control.querySelector("input") : control;
  }
  trouble.hidden = !lost.length;
  trouble.textContent = lost.join(" ");
  first?.focus();
  announce(`Not sent. ${Object.values(errors).join(" ")}`, true);
}

/** What Slack's own client checks before an app ever sees the submission. */
function check(view, ctx) {
  const errors = {};
  for (const block of view.blocks ?? []) {
    if (block.type !== "input") continue;
    for (const el of elementsOf(block)) {
      const state = valueOf(ctx, block, el);
      if (!state) continue;
      const value = Object.entries(state).find(([k]) => k !== "type" && k !== "timezone")?.[1];
      const empty = value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
      const error = empty ? (block.optional ? null : "Please complete this required field.") : invalid(el, value);
      if (error) errors[block.block_id] = error;
    }
  }
  return errors;
}

function invalid(el, value) {
  if (el.type === "email_text_input") return /^\S+@\S+\.\S+$/.test(value) ? null : "Enter a valid e-mail address.";
  if (el.type === "url_text_input") return /^https?:\/\/\S+$/.test(value) ? null : "Enter a full web address, like https://example.com.";
  if (el.type === "number_input") {
    const number = Number(value);
    if (value.trim() === "" || !Number.isFinite(number)) return "Enter a number.";
    if (!el.is_decimal_allowed && !Number.isInteger(number)) return "Enter a whole number.";
    if (el.min_value !== undefined && number < Number(el.min_value)) return `Enter ${el.min_value} or more.`;
    if (el.max_value !== undefined && number > Number(el.max_value)) return `Enter ${el.max_value} or less.`;
  }
  if (el.type === "plain_text_input") {
    const length = [...value].length;
    if (el.min_length && length < el.min_length) return `Write at least ${el.min_length} characters (${length} so far).`;
    if (el.max_length && length > el.max_length) return `Write at most ${el.max_length} characters (${length} now).`;
  }
  return null;
}

async function send(view, ctx, submit, trouble) {
  if (submit.getAttribute("aria-busy")) return;
  const early = check(view, ctx);
  if (Object.keys(early).length) return showErrors(early, trouble);
  submit.setAttribute("aria-busy", "true");
  const result = await act("submit", { view_id: view.id, values: collect(ctx) });
  submit.removeAttribute("aria-busy");
  if (result.errors && Object.keys(result.errors).length) return showErrors(result.errors, trouble);
  if (!result.ok || result.shown) {
    trouble.hidden = false;
    trouble.textContent = result.error ?? result.shown ?? "The app did not answer. Nothing was sent; try again.";
    return;
  }
  await syncViews();
}

// ---- App Home ----

let homeJson = null;

export async function drawHome(root, fresh) {
  if (fresh) { homeJson = null; root.replaceChildren(h("p", { class: "note" }, "Opening…")); await act("open_home"); }
  const result = await get("/_control/home");
  const json = JSON.stringify(result.view ?? null);
  if (!root.isConnected || json === homeJson) return;
  homeJson = json;
  const { view } = result;
  if (!view) {
    root.replaceChildren(h("div", { class: "empty" }, icon("bell"), h("h2", {}, "Nothing here yet"), h("p", {}, result.ok ? `${S.app?.name ?? "The app"} has not published a home for you. It does so when its home is opened and it is running.` : result.error)));
    return;
  }
  const focus = slotOf(root.contains(document.activeElement) ? document.activeElement : null);
  const ctx = { container: { type: "home", view_id: view.id }, key: `h:${S.me}`, blocks: view.blocks ?? [] };
  root.replaceChildren(h("div", { class: "home text" }, renderBlocks(view.blocks, ctx)));
  if (focus) focusSlot(root, focus);
}

