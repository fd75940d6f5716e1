// What the page knows of the workspace, and its only way to the server: /_control and /_demo.

export const S = {
  me: null, workspace: { id: "", name: "Sandbox workspace", domain: "sandbox" }, clock: { now: 0, at: 0, speed: 1 },
  users: new Map(), groups: new Map(), channels: new Map(), commands: [], shortcuts: [], app: null,
};

async function answer(request) {
  try {
    const response = await request;
    const body = await response.json().catch(() => null);
    if (response.ok && body) return { ok: true, ...body };
    return { ok: false, error: `The sandbox answered ${response.status}.`, ...body, status: response.status };
  } catch {
    return { ok: false, error: "The sandbox does not answer. Is it still running?" };
  }
}

export function get(path, params = {}) {
  const query = new URLSearchParams({ ...(S.me ? { as: S.me } : {}), ...params });
  return answer(fetch(`${path}?${query}`, { headers: { accept: "application/json" } }));
}

export function post(path, body = {}) {
  return answer(fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));
}

/** Acts as the chosen person. */
export const act = (what, args = {}) => post("/_control/act", { as: S.me, do: what, ...args });

export async function loadState() {
  let state = await get("/_control/state");
  if (!state.ok && state.status === 400 && S.me) {
    S.me = null;
    state = await get("/_control/state");
  }
  if (!state.ok) return state;
  S.me = state.me ?? S.me;
  S.workspace = state.workspace ?? S.workspace;
  S.users = new Map((state.users ?? []).map((u) => [u.id, u]));
  S.groups = new Map((state.usergroups ?? []).map((g) => [g.id, g]));
  S.channels = new Map((state.channels ?? []).map((c) => [c.id, c]));
  S.commands = state.commands ?? [];
  S.shortcuts = state.shortcuts ?? [];
  S.app = state.app ?? null;
  S.demo = state.demo;
  setClock(state.clock);
  return state;
}

function setClock(clock) {
  const now = Date.parse(clock?.now);
  if (!Number.isFinite(now)) return;
  const wall = Math.abs(now - Date.now()) < 5000;
  S.clock = { now, at: performance.now(), speed: clock.speed ?? (wall ? 1 : 0) };
}

/** The workspace's time in milliseconds, carried on between two looks at the server. */
export const now = () => S.clock.now + (performance.now() - S.clock.at) * S.clock.speed;

export const user = (id) => S.users.get(id);
export const me = () => S.users.get(S.me);
export const myZone = () => me()?.tz || "UTC";
const SLACKBOT = "USLACKBOT";
export const nameOf = (id) => user(id)?.real_name || user(id)?.name || (id === SLACKBOT ? "Slackbot" : id) || "An app";
export const isApp = (id) => Boolean(id === SLACKBOT || user(id)?.is_bot || user(id)?.is_app || (S.app && S.app.user_id === id));

export function channelLabel(channel) {
  if (!channel) return "unknown channel";
  if (channel.kind === "im") return nameOf(channel.user);
  if (channel.kind === "mpim") return channel.members.filter((id) => id !== S.me).map(nameOf).join(", ");
  return channel.name;
}

const formats = new Map();
/** Intl formatting with the formatter kept, because making one is slow. An unknown zone falls back to UTC. */
export function format(ms, zone, options) {
  const key = zone + JSON.stringify(options);
  let formatter = formats.get(key);
  if (!formatter) {
    try {
      formatter = new Intl.DateTimeFormat("en-US", { timeZone: zone, ...options });
    } catch {
      formatter = new Intl.DateTimeFormat("en-US", { timeZone: "UTC", ...options });
    }
    formats.set(key, formatter);
  }
  return formatter.format(ms);
}

export const tsMs = (ts) => Number(ts) * 1000;
export const clockTime = (ms, zone = myZone()) => format(ms, zone, { hour: "numeric", minute: "2-digit" });
export const dayKey = (ms, zone = myZone()) => format(ms, zone, { year: "numeric", month: "2-digit", day: "2-digit" });
export const zoneCity = (zone) => (zone ?? "UTC").split("/").at(-1).replaceAll("_", " ");

export function dayLabel(ms) {
  const key = dayKey(ms);
  if (key === dayKey(now())) return "Today";
  if (key === dayKey(now() - 86400000)) return "Yesterday";
  const sameYear = key.slice(-4) === dayKey(now()).slice(-4);
  return format(ms, myZone(), { weekday: "long", month: "long", day: "numeric", ...(sameYear ? {} : { year: "numeric" }) });
}

/** Wall-clock text "YYYY-MM-DDTHH:MM" in the acting person's zone, and back to Unix seconds. */
export function wallClock(seconds) {
  const parts = format(seconds * 1000, myZone(), { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const [, month, day, year, hour, minute] = parts.match(/(\d+)\/(\d+)\/(\d+), (\d+):(\d+)/) ?? [];
  return year ? `${year}-${month}-${day}T${hour}:${minute}` : "";
}

export function fromWallClock(text) {
  const wanted = Date.parse(`${text}Z`);
  if (!Number.isFinite(wanted)) return null;
  let guess = wanted;
  for (let round = 0; round < 3; round += 1) {
    guess += wanted - Date.parse(`${wallClock(guess / 1000)}Z`);
  }
  return Math.round(guess / 1000);
}
