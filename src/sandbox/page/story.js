// The story bar: shown only where the demo runs (/_demo/status answers).

import { h, icon, iconButton, popover, toast, byId, ask } from "./dom.js";
import { S, get, post, now, format } from "./store.js";
import { safeUrl } from "./text.js";

const ZONE = "America/New_York";
let status = null;
let parts = null;
let timer = 0;
let absent = false;
let changed = () => {};

/** `onChange` is called when the clock's pace may be another one. */
export async function startStory(onChange) {
  changed = onChange;
  if (S.demo === false) return;
  await refreshStory();
  if (!absent) setInterval(tickStory, 500);
}

export async function refreshStory() {
  clearTimeout(timer);
  if (absent) return;
  const result = await get("/_demo/status");
  if (!result.ok) {
    if (result.status === 404 || !status) {
      absent = true;
      byId("story").hidden = true;
      return;
    }
  } else {
    const before = status;
    status = result;
    draw();
    // Begun anew, perhaps from another window: nothing that is shown holds any more.
    if (before && (result.step ?? 0) < (before.step ?? 0)) location.reload();
    else if (before && (before.playing !== result.playing || before.speed !== result.speed)) changed();
  }
  timer = setTimeout(refreshStory, status?.playing ? 1500 : 4000);
}

async function demo(what, body) {
  const result = await post(`/_demo/${what}`, body);
  if (!result.ok) toast(result.error, "error");
  else if (what === "restart") location.reload();
  await refreshStory();
}

function build() {
  const play = h("button", { type: "button", class: "play", onclick: () => demo(status.playing ? "pause" : "play") });
  const clock = h("time", { class: "story-clock" });
  const speeds = h("div", { class: "speeds", role: "group", "aria-label": "Speed" });
  const steps = h("button", { type: "button", class: "btn quiet steps", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: showSteps });
  const again = iconButton("again", "Restart the story", async () => {
    if (await ask("Restart the story?", h("p", {}, "Everything said and done so far in this workspace is thrown away."), [["Go on", false], ["Restart", true, "danger"]])) await demo("restart");
  });
  const link = h("a", { class: "btn quiet", target: "_blank", rel: "noopener", hidden: true }, "Incident pages", icon("out"));
  const next = h("p", { class: "story-next" });
  const bar = h("progress", { class: "story-bar", "aria-label": "Story" });
  const title = h("strong", { class: "story-title" });
  byId("story").replaceChildren(h("div", { class: "story-row" }, play, h("div", { class: "story-text" }, title, next), clock, speeds, steps, link, again), bar);
  parts = { play, clock, speeds, steps, link, next, bar, title };
}

function draw() {
  if (!parts) build();
  byId("story").hidden = false;
  const list = status.steps ?? [];
  const done = list.filter((s) => s.done).length;
  const coming = list.find((s) => !s.done);
  const word = status.finished ? "Finished" : status.playing ? "Pause" : "Play";
  parts.play.replaceChildren(icon(status.finished ? "check" : status.playing ? "pause" : "play"));
  parts.play.setAttribute("aria-label", word);
  parts.play.title = word;
  parts.play.disabled = Boolean(status.finished);
  parts.title.textContent = status.title ?? "Demo";
  parts.next.textContent = status.finished ? "The story is over; the workspace stays yours to try." : coming ? `Next, ${nyTime(Date.parse(coming.at))}: ${coming.label}` : "";
  parts.next.title = parts.next.textContent;
  parts.steps.replaceChildren(icon("list"), h("span", {}, `${done}/${list.length}`), h("span", { class: "sr" }, " steps done, show the list"));
  parts.bar.max = list.length || 1;
  parts.bar.value = done;
  const speeds = (status.speeds ?? []).map(String).join();
  if (parts.speeds.dataset.of !== speeds) {
    parts.speeds.dataset.of = speeds;
    parts.speeds.replaceChildren(...(status.speeds ?? []).map((s) => h("button", { type: "button", "data-speed": String(s), onclick: () => demo("speed", { speed: s }) }, `${s}×`)));
  }
  for (const button of parts.speeds.children) button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === status.speed));
  const url = safeUrl(status.links?.bot_url ?? "");
  parts.link.hidden = !status.links?.bot_url || !url;
  if (url) parts.link.href = url;
  tickStory();
}

const nyTime = (ms) => format(ms, ZONE, { hour: "numeric", minute: "2-digit" });

function tickStory() {
  if (!parts || !status) return;
  const text = `${format(now(), ZONE, { weekday: "short", month: "short", day: "numeric" })}, ${nyTime(now())}`;
  if (parts.clock.dataset.text === text) return;
  parts.clock.dataset.text = text;
  parts.clock.replaceChildren(h("b", {}, nyTime(now())), h("small", {}, format(now(), ZONE, { weekday: "short", month: "short", day: "numeric" }), h("span", {}, " · New York")));
}

function showSteps() {
  popover(parts.steps, h("ol", { class: "step-list", tabindex: "0", "aria-label": "Steps of the story" }, (status.steps ?? []).map((s) => h("li", { class: s.done ? "done" : null }, icon(s.done ? "check" : "bell"), h("time", {}, nyTime(Date.parse(s.at))), h("span", {}, s.label, s.done && h("span", { class: "sr" }, " (done)"))))), { end: true });
  const list = document.querySelector(".step-list");
  list?.querySelector("li:not(.done)")?.scrollIntoView({ block: "center" });
  list?.focus();
}
