// Block Kit's interactive elements: what they look like, what they remember, what they send.

import { h, icon, iconButton, popover, menu, ask, toast, nextId } from "./dom.js";
import { S, act, user, nameOf, channelLabel, wallClock, fromWallClock, isApp } from "./store.js";
import { plain, words, textObject, safeUrl } from "./text.js";

const MENU_KINDS = {
  static_select: "option", external_select: "option", users_select: "user", conversations_select: "conversation", channels_select: "channel",
};
const TEXT_KINDS = { plain_text_input: "text", email_text_input: "email", url_text_input: "url", number_input: "number", rich_text_input: "text" };

/** Values people have entered, by container and then by block and action; they survive a re-rendering. */
const entered = new Map();
const slot = (block, el) => `${block.block_id ?? ""} ${el.action_id ?? ""}`;
export const forget = (key) => entered.delete(key);

function remember(ctx, block, el, value) {
  if (!entered.has(ctx.key)) entered.set(ctx.key, new Map());
  entered.get(ctx.key).set(slot(block, el), value);
}

export const valueOf = (ctx, block, el) => entered.get(ctx.key)?.get(slot(block, el)) ?? initial(el, ctx);

function initial(el, ctx) {
  const { type } = el;
  if (type in TEXT_KINDS) return type === "rich_text_input" ? { type, rich_text_value: el.initial_value ?? null } : { type, value: el.initial_value ?? null };
  const multi = type.startsWith("multi_");
  const kind = MENU_KINDS[multi ? type.slice(6) : type];
  if (kind && multi) return { type, [`selected_${kind}s`]: el[`initial_${kind}s`] ?? [] };
  if (kind) {
    const current = kind === "conversation" && el.default_to_current_conversation ? ctx.channel : null;
    return { type, [`selected_${kind}`]: el[`initial_${kind}`] ?? current ?? null };
  }
  switch (type) {
    case "datepicker": return { type, selected_date: el.initial_date ?? null };
    case "timepicker": return { type, selected_time: el.initial_time ?? null, ...(el.timezone ? { timezone: el.timezone } : {}) };
    case "datetimepicker": return { type, selected_date_time: el.initial_date_time ?? null };
    case "checkboxes": return { type, selected_options: el.initial_options ?? [] };
    case "radio_buttons": return { type, selected_option: el.initial_option ?? null };
    default: return null;
  }
}

/** Every element of a block that could hold a value or send an action. */
export const elementsOf = (block) => [block.element, block.accessory, ...(block.type === "actions" ? block.elements ?? [] : [])].filter(Boolean);

/** `state.values` as Slack sends it: all stateful elements of the container, touched or not. */
export function collect(ctx) {
  const values = {};
  for (const block of ctx.blocks ?? []) {
    for (const el of elementsOf(block)) {
      const value = valueOf(ctx, block, el);
      if (value) (values[block.block_id ?? ""] ??= {})[el.action_id ?? ""] = value;
    }
  }
  return values;
}

async function confirmed(confirm) {
  if (!confirm) return true;
  return ask(words(plain(confirm.title)) || "Are you sure?", textObject(confirm.text), [
    [words(plain(confirm.deny)) || "Cancel", false],
    [words(plain(confirm.confirm)) || "Yes", true, confirm.style === "danger" ? "danger" : "primary"],
  ]);
}

/** Sends one block action; the control is busy meanwhile and marked when the app did not take it. */
export async function send(ctx, block, el, action, node) {
  node?.setAttribute("aria-busy", "true");
  node?.classList.remove("failed");
  const result = await act("action", {
    container: ctx.container, block_id: block.block_id, action_id: el.action_id,
    action: { type: el.type, ...action }, state: { values: collect(ctx) },
  });
  node?.removeAttribute("aria-busy");
  if (!result.ok || result.delivered === false) {
    node?.classList.add("failed");
    toast(result.error ?? result.shown ?? "The app did not answer in time.", "error");
  }
  return result;
}

/** Keeps a new value and sends it where Slack would: at once, but from an input block only when it asks for that. */
async function changed(ctx, block, el, value, node) {
  const before = valueOf(ctx, block, el);
  remember(ctx, block, el, value);
  ctx.touched?.(block);
  if (block.type === "input" && !block.dispatch_action) return true;
  if (!(await confirmed(el.confirm))) {
    remember(ctx, block, el, before);
    return false;
  }
  await send(ctx, block, el, rest(value), node);
  return true;
}

/** The node of one element; `label` names it for assistive technology. */
export function element(el, block, ctx, label = "") {
  const { type } = el;
  const name = label || words(plain(el.placeholder)) || (el.action_id ?? type).replaceAll(/[_-]/g, " ");
  const node = build(el, block, ctx, name);
  const target = node.matches("input,textarea,button,fieldset") ? node : node.querySelector("input,textarea,button") ?? node;
  target.setAttribute("data-slot", slot(block, el));
  if (el.focus_on_load) target.setAttribute("data-focus", "");
  return node;
}

function build(el, block, ctx, name) {
  const { type } = el;
  if (type === "button" || type === "workflow_button") return button(el, block, ctx);
  if (type === "image") return image(el);
  if (type === "overflow") return overflow(el, block, ctx);
  if (type in TEXT_KINDS) return textInput(el, block, ctx, name);
  if (type === "checkboxes" || type === "radio_buttons") return choices(el, block, ctx, name);
  if (type === "datepicker" || type === "timepicker" || type === "datetimepicker") return picker(el, block, ctx, name);
  if (MENU_KINDS[type.replace(/^multi_/, "")]) return select(el, block, ctx, name);
  return unknown(type);
}

export const unknown = (type) => h("span", { class: "unknown" }, h("b", {}, String(type)), " is not drawn here");

function button(el, block, ctx) {
  const cls = `btn ${el.style === "primary" || el.style === "danger" ? el.style : ""}`;
  const node = h("button", { type: "button", class: cls, "aria-label": el.accessibility_label }, plain(el.text), el.url && icon("out"));
  node.addEventListener("click", async () => {
    if (node.getAttribute("aria-busy") || !(await confirmed(el.confirm))) return;
    const url = el.url && safeUrl(el.url);
    if (url) window.open(url, "_blank", "noopener");
    await send(ctx, block, el, { value: el.value, text: el.text }, node);
  });
  return node;
}

/** Only pictures of the sandbox itself are shown: the page makes no request to anywhere else. */
export function image(el, cls = "thumb") {
  const url = el.image_url ?? el.slack_file?.url ?? "";
  const alt = el.alt_text ?? "";
  let local = url.startsWith("data:image/");
  const href = safeUrl(url);
  local ||= href !== null && new URL(href).origin === location.origin;
  if (local) return h("img", { src: url, alt, class: cls, loading: "lazy" });
  const box = [icon("eye"), h("span", {}, alt || "Picture")];
  return href ? h("a", { class: `away ${cls}`, href, target: "_blank", rel: "noopener noreferrer", title: `Picture from ${new URL(href).host}` }, box) : h("span", { class: `away ${cls}` }, box);
}

function overflow(el, block, ctx) {
  const node = iconButton("more", "More actions", () => {
    menu(node, (el.options ?? []).map((option) => ({
      label: plain(option.text), hint: option.description && words(plain(option.description)),
      run: async () => {
        if (!(await confirmed(el.confirm))) return;
        const url = option.url && safeUrl(option.url);
        if (url) window.open(url, "_blank", "noopener");
        await send(ctx, block, el, { selected_option: option }, node);
      },
    })), { label: "More actions" });
  }, "overflow");
  node.setAttribute("aria-haspopup", "menu");
  return node;
}

function textInput(el, block, ctx, name) {
  const kind = TEXT_KINDS[el.type];
  const rich = el.type === "rich_text_input";
  const value = valueOf(ctx, block, el);
  const text = rich ? richWords(value.rich_text_value) : value.value ?? "";
  const multiline = el.multiline || rich;
  const node = h(multiline ? "textarea" : "input", {
    class: "field", type: multiline ? null : kind === "number" ? "text" : kind, inputmode: kind === "number" ? (el.is_decimal_allowed ? "decimal" : "numeric") : null,
    rows: multiline ? "4" : null, maxlength: el.max_length, placeholder: words(plain(el.placeholder)), "aria-label": ctx.labelled ? null : name, autocomplete: "off", value: text,
  });
  const on = el.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const pack = () => ({ type: el.type, ...(rich ? { rich_text_value: richFrom(node.value) } : { value: node.value === "" ? null : node.value }) });
  let timer = 0;
  node.addEventListener("input", () => {
    remember(ctx, block, el, pack());
    ctx.touched?.(block);
    if (block.dispatch_action && on.includes("on_character_entered")) {
      clearTimeout(timer);
      timer = setTimeout(() => send(ctx, block, el, rest(pack()), node), 400);
    }
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || (multiline && !(event.ctrlKey || event.metaKey))) return;
    const dispatch = block.type !== "input" || block.dispatch_action;
    if (dispatch && on.includes("on_enter_pressed")) {
      event.preventDefault();
      send(ctx, block, el, rest(pack()), node);
    }
  });
  return node;
}

const rest = ({ type, ...other }) => other;
const richWords = (rich) => (rich?.elements ?? []).map((part) => words(part.elements?.map((leaf) => leaf.text ?? "") ?? [])).join("\n");
const richFrom = (text) => (text ? { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }] } : null);

function choices(el, block, ctx, name) {
  const many = el.type === "checkboxes";
  const group = nextId("g");
  const value = valueOf(ctx, block, el);
  const same = (a, b) => a && b && a.value === b.value;
  const isOn = (option, v) => (many ? v.selected_options.some((o) => same(o, option)) : same(v.selected_option, option));
  const inputs = [];
  const node = h("fieldset", { class: "choices", "aria-label": ctx.labelled ? null : name }, (el.options ?? []).map((option) => {
    const input = h("input", { type: many ? "checkbox" : "radio", name: group, checked: isOn(option, value) });
    inputs.push([input, option]);
    input.addEventListener("change", async () => {
      const chosen = inputs.filter(([i]) => i.checked).map(([, o]) => o);
      const next = many ? { type: el.type, selected_options: chosen } : { type: el.type, selected_option: option };
      if (await changed(ctx, block, el, next, node)) return;
      const old = valueOf(ctx, block, el);
      for (const [i, o] of inputs) i.checked = isOn(o, old);
    });
    return h("label", { class: "choice" }, input, h("span", {}, textObject(option.text, { inlineOnly: true }), option.description && h("small", {}, textObject(option.description, { inlineOnly: true }))));
  }));
  return node;
}

function picker(el, block, ctx, name) {
  const [type, field] = { datepicker: ["date", "selected_date"], timepicker: ["time", "selected_time"], datetimepicker: ["datetime-local", "selected_date_time"] }[el.type];
  const stamp = el.type === "datetimepicker";
  const shown = () => { const v = valueOf(ctx, block, el)[field]; return v === null || v === undefined ? "" : stamp ? wallClock(v) : v; };
  const node = h("input", { type, class: "field short", "aria-label": ctx.labelled ? null : name, title: words(plain(el.placeholder)) || null, value: shown() });
  let timer = 0;
  node.addEventListener("input", () => {
    clearTimeout(timer);
    const value = () => ({ type: el.type, [field]: node.value === "" ? null : stamp ? fromWallClock(node.value) : node.value, ...(el.timezone ? { timezone: el.timezone } : {}) });
    if (block.type === "input" && !block.dispatch_action) return void changed(ctx, block, el, value(), node);
    timer = setTimeout(async () => { if (!(await changed(ctx, block, el, value(), node))) node.value = shown(); }, 600);
  });
  return node;
}

const option = (value, text, description, extra) => ({ value, text: { type: "plain_text", text }, ...(description ? { description: { type: "plain_text", text: description } } : {}), extra });

export const personOption = (u) => option(u.id, nameOf(u.id), u.title);
const channelOption = (c) => option(c.id, c.kind === "im" || c.kind === "mpim" ? channelLabel(c) : `#${c.name}`, c.kind === "private" ? "Private" : "");

function sourceOf(el, kind) {
  if (kind === "user") return [...S.users.values()].filter((u) => !u.deleted).map(personOption);
  const open = [...S.channels.values()].filter((c) => !c.archived);
  if (kind === "channel") return open.filter((c) => c.kind === "public").map(channelOption);
  const { include, exclude_bot_users: noBots } = el.filter ?? {};
  return open.filter((c) => (!include || include.includes(c.kind)) && !(noBots && c.kind === "im" && isApp(c.user))).map(channelOption);
}

function select(el, block, ctx, name) {
  const multi = el.type.startsWith("multi_");
  const kind = MENU_KINDS[multi ? el.type.slice(6) : el.type];
  const field = `selected_${kind}${multi ? "s" : ""}`;
  const external = el.type.endsWith("external_select");
  const toOption = (picked) => (kind === "option" ? picked : kind === "user" ? (user(picked) ? personOption(user(picked)) : option(picked, picked)) : S.channels.has(picked) ? channelOption(S.channels.get(picked)) : option(picked, picked));
  const current = () => [valueOf(ctx, block, el)[field] ?? []].flat().map(toOption);
  const groups = async (query) => {
    if (external) {
      const answer = await act("options", { container: ctx.container, block_id: block.block_id, action_id: el.action_id, value: query });
      if (!answer.ok || answer.delivered === false) throw new Error(answer.error ?? answer.shown);
      return answer.option_groups ?? [{ options: answer.options ?? [] }];
    }
    return el.option_groups ?? [{ options: kind === "option" ? el.options ?? [] : sourceOf(el, kind) }];
  };
  const node = combo({
    name, placeholder: words(plain(el.placeholder)) || "Choose", multi, external, least: external ? el.min_query_length ?? 3 : 0, most: el.max_selected_items, selected: current(), groups, labelled: ctx.labelled,
    onchange: async (picked, face) => {
      const clean = picked.map((o) => { if (kind !== "option") return o.value; const { extra, ...raw } = o; return raw; });
      return changed(ctx, block, el, { type: el.type, [field]: multi ? clean : clean[0] ?? null }, face) .then((kept) => (kept ? null : current()));
    },
  });
  return node;
}

/**
 * A button that opens a searchable list box. `groups(query)` gives [{label?, options}]; `onchange(options, node)` may answer with
 * the options to fall back to.
 */
export function combo({ name, placeholder, multi, external, least = 0, most, selected, groups, onchange, labelled }) {
  let chosen = selected;
  const face = h("span", { class: "combo-face" });
  const node = h("button", { type: "button", class: "combo", "aria-haspopup": "listbox", "aria-expanded": "false", onclick: open }, face, icon("down"));
  paint();
  return node;

  function paint() {
    face.replaceChildren(...(chosen.length ? chosen.map((o) => h("span", { class: multi ? "chip" : "" }, plain(o.text))) : [h("span", { class: "hint" }, placeholder)]));
    node.setAttribute("aria-label", `${labelled ?? name}: ${chosen.length ? chosen.map((o) => words(plain(o.text))).join(", ") : placeholder}`);
  }

  async function open() {
    const listId = nextId("list");
    const list = h("div", { role: "listbox", id: listId, class: "options", "aria-label": name, "aria-multiselectable": multi ? "true" : null });
    const search = h("input", { class: "field", role: "combobox", "aria-expanded": "true", "aria-controls": listId, "aria-autocomplete": "list", "aria-label": `Search: ${name}`, placeholder: external ? "Type to search" : "Search", autocomplete: "off" });
    let shown = [];
    let at = -1;
    let round = 0;
    let dirty = false;
    const pop = popover(node, h("div", { class: "combo-box" }, h("div", { class: "combo-search" }, icon("search"), search), list), { onclose: () => { if (multi && dirty) settle(); } });
    search.focus();
    const note = (text) => { shown = []; at = -1; list.replaceChildren(h("p", { class: "note", role: "status" }, text)); pop.place(); };

    async function fill() {
      const query = search.value.trim();
      const mine = ++round;
      if (external && query.length < least) return note(`Type at least ${least} letter${least > 1 ? "s" : ""}.`);
      if (external) { list.setAttribute("aria-busy", "true"); await new Promise((r) => { setTimeout(r, query ? 200 : 0); }); if (mine !== round) return; }
      let found;
      try {
        found = await groups(query);
      } catch (error) {
        return note(error.message || "The app did not answer with choices.");
      }
      if (mine !== round) return;
      list.removeAttribute("aria-busy");
      const needle = query.toLowerCase();
      const match = (o) => external || !needle || words(plain(o.text)).toLowerCase().includes(needle);
      shown = [];
      const parts = [];
      for (const group of found) {
        const hits = (group.options ?? []).filter(match);
        if (!hits.length) continue;
        if (group.label) parts.push(h("div", { class: "menu-title", role: "presentation" }, plain(group.label)));
        for (const o of hits) {
          const on = chosen.some((c) => c.value === o.value);
          const row = h("div", { role: "option", id: nextId("opt"), class: "option", "aria-selected": String(on), onpointerdown: (e) => e.preventDefault(), onclick: () => pick(o) },
            h("span", { class: "grow" }, plain(o.text), o.description && h("small", {}, plain(o.description))), icon("check"));
          shown.push([o, row]);
          parts.push(row);
        }
      }
      if (!shown.length) return note("Nothing matches.");
      list.replaceChildren(...parts);
      list.parentElement.classList.toggle("bare", !external && !query && shown.length <= 7);
      go(Math.max(0, shown.findIndex(([o]) => chosen.some((c) => c.value === o.value))));
      pop.place();
    }

    function go(to) {
      shown[at]?.[1].classList.remove("at");
      at = (to + shown.length) % shown.length;
      const row = shown[at]?.[1];
      row?.classList.add("at");
      row?.scrollIntoView({ block: "nearest" });
      search.setAttribute("aria-activedescendant", row?.id ?? "");
    }

    function pick(o) {
      if (!multi) { chosen = [o]; pop.close(); node.focus(); return void settle(); }
      const had = chosen.some((c) => c.value === o.value);
      if (!had && most && chosen.length >= most) return void toast(`Choose at most ${most}.`);
      chosen = had ? chosen.filter((c) => c.value !== o.value) : [...chosen, o];
      dirty = true;
      shown.find(([s]) => s === o)[1].setAttribute("aria-selected", String(!had));
      paint();
    }

    search.addEventListener("input", fill);
    search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); if (shown.length) go(at + (event.key === "ArrowDown" ? 1 : -1)); }
      else if (event.key === "Enter") { event.preventDefault(); if (shown[at]) pick(shown[at][0]); }
      else if (event.key === "Backspace" && !search.value && multi && chosen.length) { chosen = chosen.slice(0, -1); dirty = true; paint(); fill(); }
      else if (event.key === "Tab") pop.close();
    });
    await fill();
  }

  async function settle() {
    paint();
    const back = await onchange(chosen, node);
    if (back) { chosen = back; paint(); }
  }
}

