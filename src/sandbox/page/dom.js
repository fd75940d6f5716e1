// Builds DOM nodes, menus, dialogs and toasts. Text only ever becomes text nodes: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "indeterminate"]);

/** h("a", {class: "x", onclick: f}, "text", [nodes]) */
export function h(tag, props, ...kids) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (PROPERTIES.has(key)) el[key] = value;
    else el.setAttribute(key, value === true ? "" : value);
  }
  el.append(...kids.flat(9).filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return el;
}

export const byId = (id) => document.getElementById(id);

const ICONS = {
  hash: "M9 4 7 20M17 4l-2 16M4.5 9h16M3.5 15h16",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  archive: "M4 5h16v4H4zM5.5 9v10h13V9M10 13h4",
  down: "m6 9 6 6 6-6",
  plus: "M12 5v14M5 12h14",
  close: "m6 6 12 12M18 6 6 18",
  back: "m14 6-6 6 6 6",
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 14.5c1.8 2.3 5.2 2.3 7 0M9 9.5h.01M15 9.5h.01",
  thread: "M4 5h16v11h-8l-4.5 4v-4H4zM8 9h8M8 12h5",
  pin: "m9 3 6 0-1 6 3.5 4h-11L10 9zM12 13v8",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-4 2.9-6 6.5-6s6.5 2 6.5 6M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5c2.2.8 3.5 2.6 3.5 5.5",
  eye: "M2.5 12C6 6 18 6 21.5 12 18 18 6 18 2.5 12zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  clip: "m19 11-7.5 7.5a4.6 4.6 0 0 1-6.5-6.5L13 4a3.1 3.1 0 0 1 4.4 4.4L9.7 16a1.5 1.5 0 0 1-2.2-2.2L14 7.5",
  send: "M4 12 20 4l-5 16-3.5-6.5zM11.5 13.5 20 4",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  wire: "M3 12h4l2.5-7 5 14 2.5-7h4",
  play: "M8 5v14l11-7z",
  pause: "M8 5v14M16 5v14",
  edit: "m4 20 1-4.5L16 4.5l3.5 3.5L8.5 19zM13.5 7l3.5 3.5",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  again: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4.5h4.5",
  list: "M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01",
  out: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  check: "m5 12.5 4.5 4.5L19 7.5",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4 7 7 0 0 0 20 14.5z",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  arrowDown: "M12 5v14M6 13l6 6 6-6",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.5 16.5 21 21",
  bell: "M12 2.5c3.9 2.5 6 5.2 6 9v3.5l1.7 2.5H4.3L6 15v-3.5c0-2.1.8-3.8 2.2-5.2.2 1.3.8 2.1 1.6 2.4-.1-2.5.5-4.5 2.2-6.2zM9.7 19.5h4.6a2.3 2.3 0 0 1-4.6 0z",
};

/** A 24-unit line icon, hidden from assistive technology: the control around it carries the name. */
export function icon(name, cls = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `i i-${name} ${cls}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export function iconButton(name, label, onclick, cls = "") {
  return h("button", { type: "button", class: `ib ${cls}`, "aria-label": label, title: label, onclick }, icon(name));
}

let serial = 0;
export const nextId = (prefix = "n") => `${prefix}-${++serial}`;

/** Shows `content` next to `anchor` in the top layer; Escape and a click outside close it and give the focus back. */
export function popover(anchor, content, { cls = "", above = false, end = false, label, onclose } = {}) {
  const el = h("div", { popover: "auto", role: "dialog", "aria-label": label ?? anchor.getAttribute("aria-label") ?? anchor.textContent, class: `pop ${cls}` }, content);
  (anchor.closest("dialog") ?? document.body).append(el);
  el.showPopover();
  const place = () => {
    const a = anchor.getBoundingClientRect();
    const width = el.offsetWidth;
    const height = el.offsetHeight;
    const roomBelow = innerHeight - a.bottom;
    const up = above ? a.top > height + 12 : roomBelow < height + 12 && a.top > roomBelow;
    const left = end ? a.right - width : a.left;
    el.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    el.style.top = `${Math.max(8, Math.min(up ? a.top - height - 6 : a.bottom + 6, innerHeight - height - 8))}px`;
  };
  place();
  anchor.setAttribute("aria-expanded", "true");
  const back = document.activeElement === document.body ? anchor : document.activeElement;
  el.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    anchor.setAttribute("aria-expanded", "false");
    const inside = el.contains(document.activeElement) || document.activeElement === document.body;
    el.remove();
    if (inside && back?.isConnected) back.focus();
    onclose?.();
  });
  return { el, place, close: () => el.isConnected && el.hidePopover() };
}

/** Moves the focus among `selector` items with the arrow keys, Home and End. */
export function arrows(root, selector) {
  root.addEventListener("keydown", (event) => {
    const items = [...root.querySelectorAll(selector)].filter((item) => !item.disabled);
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || !items.length) return;
    event.preventDefault();
    items[(to + items.length) % items.length].focus();
  });
}

/** A menu of {label, run, icon?, hint?, danger?, checked?, disabled?}, "-" (line) or a string (heading). */
export function menu(anchor, items, options = {}) {
  let pop;
  const list = h("div", { role: "menu", class: "menu", "aria-label": options.label ?? "Menu" }, items.map((item) => {
    if (item === "-") return h("hr");
    if (typeof item === "string") return h("div", { class: "menu-title" }, item);
    return h("button", {
      type: "button", role: "menuitem", class: item.danger ? "danger" : null, disabled: item.disabled,
      onclick: () => { pop.close(); item.run(); },
    }, item.node ?? (item.icon ? icon(item.icon) : null), h("span", { class: "grow" }, item.label, item.hint && h("small", {}, item.hint)), item.checked && icon("check"));
  }));
  arrows(list, "[role=menuitem]");
  pop = popover(anchor, list, options);
  list.querySelector("[role=menuitem]:not(:disabled)")?.focus();
  return pop;
}

/** A modal dialog; `buttons` are [label, value, class]. Resolves with the pressed value, null when dismissed. */
export function ask(title, body, buttons, { onshow } = {}) {
  return new Promise((resolve) => {
    const id = nextId("ask");
    let result = null;
    const done = (value) => { result = value; box.close(); };
    const form = h("form", { method: "dialog", class: "sheet", onsubmit: (e) => { e.preventDefault(); done(buttons.at(-1)[1]); } },
      h("h2", { id, class: "sheet-title" }, title),
      h("div", { class: "sheet-body" }, body),
      h("div", { class: "sheet-foot" }, buttons.map(([label, value, cls], i) => h("button", {
        type: i === buttons.length - 1 ? "submit" : "button", class: `btn ${cls ?? ""}`,
        onclick: i === buttons.length - 1 ? null : () => done(value),
      }, label))));
    const box = h("dialog", { class: "dialog small", "aria-labelledby": id }, form);
    box.addEventListener("close", () => { box.remove(); resolve(result); });
    document.body.append(box);
    box.showModal();
    if (onshow) onshow(form); else form.querySelector("button[type=submit]").focus();
  });
}

/** A short notice in the corner; errors stay longer and are announced at once. */
export function toast(text, kind = "info", open = null) {
  const el = h("div", { class: `toast ${kind}` }, icon(kind === "error" ? "bolt" : "bell"), h("span", {}, text), open && h("button", { type: "button", class: "btn", onclick: () => { el.remove(); open(); } }, "Open"));
  el.append(iconButton("close", "Dismiss", () => el.remove()));
  for (const old of document.querySelectorAll(".toast")) if (old.querySelector("span").textContent === text) old.remove();
  const dialog = document.querySelector("dialog[open]");
  (dialog ? toastShelf(dialog) : byId("toasts")).append(el);
  setTimeout(() => el.remove(), kind === "error" ? 12000 : 6000);
}

function toastShelf(dialog) {
  let shelf = dialog.querySelector(":scope > .toasts");
  if (!shelf) dialog.append(shelf = h("div", { class: "toasts", role: "alert" }));
  return shelf;
}

export function announce(text, urgent = false) {
  const region = byId(urgent ? "alarm" : "live");
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = text.slice(0, 240); });
}
