// Turns Slack's mrkdwn, Markdown and plain text into nodes.

import { h } from "./dom.js";
import { S, user, nameOf, myZone, now, format, dayKey } from "./store.js";

const NAMES = "memo 📝,pencil 📝,pencil2 ✏️,pushpin 📌,round_pushpin 📍,rotating_light 🚨,white_check_mark ✅,heavy_check_mark ✔️,ballot_box_with_check ☑️,x ❌,negative_squared_cross_mark ❎,bell 🔔,no_bell 🔕,fire 🔥,eyes 👀,warning ⚠️,exclamation ❗,question ❓,grey_question ❔,information_source ℹ️,bulb 💡,mag 🔍,mag_right 🔎,hourglass ⌛,hourglass_flowing_sand ⏳,alarm_clock ⏰,stopwatch ⏱️,timer_clock ⏲️,clock1 🕐,clock3 🕒,clock9 🕘,calendar 📆,date 📅,spiral_calendar_pad 🗓️,phone ☎️,telephone_receiver 📞,calling 📲,iphone 📱,computer 💻,email 📧,envelope ✉️,inbox_tray 📥,outbox_tray 📤,package 📦,link 🔗,paperclip 📎,lock 🔒,unlock 🔓,key 🔑,wrench 🔧,hammer 🔨,hammer_and_wrench 🛠️,gear ⚙️,nut_and_bolt 🔩,construction 🚧,rocket 🚀,boom 💥,zap ⚡,ship 🚢,fire_engine 🚒,ambulance 🚑,helmet_with_white_cross ⛑️,sos 🆘,no_entry ⛔,no_entry_sign 🚫,octagonal_sign 🛑,red_circle 🔴,large_blue_circle 🔵,large_green_circle 🟢,large_yellow_circle 🟡,large_orange_circle 🟠,large_purple_circle 🟣,white_circle ⚪,black_circle ⚫,large_red_square 🟥,large_orange_square 🟧,large_yellow_square 🟨,large_green_square 🟩,large_blue_square 🟦,white_large_square ⬜,black_large_square ⬛,small_red_triangle 🔺,arrow_up ⬆️,arrow_down ⬇️,arrow_right ➡️,arrow_left ⬅️,arrow_upper_right ↗️,arrows_counterclockwise 🔄,repeat 🔁,leftwards_arrow_with_hook ↩️,heavy_plus_sign ➕,heavy_minus_sign ➖,chart_with_upwards_trend 📈,chart_with_downwards_trend 📉,bar_chart 📊,clipboard 📋,page_facing_up 📄,bookmark 🔖,bookmark_tabs 📑,books 📚,book 📖,newspaper 📰,scroll 📜,label 🏷️,file_folder 📁,open_file_folder 📂,floppy_disk 💾,satellite 🛰️,satellite_antenna 📡,globe_with_meridians 🌐,earth_americas 🌎,cloud ☁️,sunny ☀️,rainbow 🌈,snowflake ❄️,star ⭐,sparkles ✨,tada 🎉,confetti_ball 🎊,trophy 🏆,medal 🏅,first_place_medal 🥇,dart 🎯,100 💯,thumbsup 👍,+1 👍,thumbsdown 👎,-1 👎,clap 👏,raised_hands 🙌,pray 🙏,wave 👋,ok_hand 👌,muscle 💪,point_right 👉,point_left 👈,point_up ☝️,point_down 👇,raised_hand ✋,handshake 🤝,heart ❤️,green_heart 💚,blue_heart 💙,broken_heart 💔,smile 😄,smiley 😃,grinning 😀,slightly_smiling_face 🙂,joy 😂,sweat_smile 😅,wink 😉,thinking_face 🤔,thinking 🤔,neutral_face 😐,cry 😢,sob 😭,scream 😱,sleeping 😴,zzz 💤,sunglasses 😎,robot_face 🤖,ghost 👻,skull 💀,bug 🐛,beetle 🪲,turtle 🐢,coffee ☕,pizza 🍕,busts_in_silhouette 👥,bust_in_silhouette 👤,speech_balloon 💬,left_speech_bubble 🗨️,loudspeaker 📢,mega 📣,shield 🛡️,chart 💹,new 🆕,free 🆓,ok 🆗,up 🆙,soon 🔜,back 🔙,one 1️⃣,two 2️⃣,three 3️⃣,four 4️⃣,five 5️⃣,black_square_for_stop ⏹️,double_vertical_bar ⏸️,arrow_forward ▶️,fast_forward ⏩,track_next ⏭️,pager 📟,face_with_monocle 🧐,test_tube 🧪,brick 🧱,electric_plug 🔌,battery 🔋,checkered_flag 🏁,triangular_flag_on_post 🚩,crossed_flags 🎌,firecracker 🧨,fire_extinguisher 🧯,sweat_drops 💦,droplet 💧,ice_cube 🧊,hospital 🏥,office 🏢,house 🏠,door 🚪,stethoscope 🩺,bandage 🩹";
export const EMOJI = new Map(NAMES.split(",").map((pair) => pair.split(" ")));

export function emoji(name) {
  const base = name.split("::")[0];
  const char = EMOJI.get(base);
  return char ? h("span", { class: "emoji", role: "img", "aria-label": base.replaceAll("_", " "), title: `:${base}:` }, char) : `:${name}:`;
}

export const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** A link, when its scheme is one that cannot run anything; else its text. Message links open inside the page. */
export function link(url, ...kids) {
  const target = safeUrl(url);
  const label = kids.length ? kids : [url.replace(/^mailto:/, "")];
  if (!target) return h("span", { title: "This link's kind is not opened here" }, label);
  const inside = target.match(/^https?:\/\/[^/]+\/archives\/(\w+)(?:\/p(\d{10})(\d{6}))?(?:[?#]|$)/);
  if (inside) return h("a", { href: `#/${inside[1]}${inside[2] ? `/${inside[2]}.${inside[3]}` : ""}`, class: "link" }, label);
  return h("a", { href: target, class: "link", target: "_blank", rel: "noopener noreferrer" }, label);
}

export function safeUrl(url) {
  try {
    const parsed = new URL(String(url), /^\/(?!\/)/.test(url) ? location.href : undefined);
    return ["http:", "https:", "mailto:", "tel:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

export function mention(id, label) {
  const known = user(id);
  return h("button", { type: "button", tabindex: "-1", class: `mention${id === S.me ? " mine" : ""}`, "data-user": id },
    `@${known ? nameOf(id) : label || id}`);
}

export function channelLink(id, label) {
  const known = S.channels.get(id);
  if (!known) return h("span", { class: "mention" }, `#${label || "private channel"}`);
  return h("a", { href: `#/${id}`, class: "mention" }, known.kind === "private" ? "🔒" : "#", known.name);
}

export function groupMention(id, label) {
  const group = S.groups.get(id);
  const mine = group?.users?.includes(S.me);
  return h("span", { class: `mention${mine ? " mine" : ""}`, title: group?.users?.map(nameOf).join(", ") }, `@${(group?.handle ?? label ?? id).replace(/^@/, "")}`);
}

export const broadcast = (range) => h("span", { class: "mention mine" }, `@${range}`);

/** <!date^…>: the tokens of the format in the acting person's zone; anything unknown shows the fallback. */
function dateText(seconds, pattern, fallback) {
  const ms = Number(seconds) * 1000;
  if (!Number.isFinite(ms) || !pattern) return fallback ?? "";
  const zone = myZone();
  const sameYear = format(ms, zone, { year: "numeric" }) === format(now(), zone, { year: "numeric" });
  const year = sameYear ? {} : { year: "numeric" };
  const near = () => {
    const key = dayKey(ms);
    if (key === dayKey(now())) return "today";
    if (key === dayKey(now() - 86400000)) return "yesterday";
    return key === dayKey(now() + 86400000) ? "tomorrow" : null;
  };
  const long = () => format(ms, zone, { weekday: "long", month: "long", day: "numeric", ...year });
  const short = () => format(ms, zone, { month: "short", day: "numeric", ...year });
  const plain = () => format(ms, zone, { month: "long", day: "numeric", ...year });
  let unknown = false;
  const text = pattern.replace(/\{(\w+)\}/g, (_, token) => {
    switch (token) {
      case "date_num": return format(ms, zone, { year: "numeric", month: "2-digit", day: "2-digit" }).replace(/(\d+)\/(\d+)\/(\d+)/, "$3-$1-$2");
      case "date_slash": return format(ms, zone, { year: "numeric", month: "2-digit", day: "2-digit" });
      case "date": return plain();
      case "date_short": return short();
      case "date_long": return long();
      case "date_pretty": return near() ?? plain();
      case "date_short_pretty": return near() ?? short();
      case "date_long_pretty": return near() ?? long();
      case "day_divider_pretty": return near() ?? long();
      case "date_long_full": return format(ms, zone, { weekday: "long", month: "long", day: "numeric", year: "numeric" });
      case "time": return format(ms, zone, { hour: "numeric", minute: "2-digit" });
      case "time_secs": return format(ms, zone, { hour: "numeric", minute: "2-digit", second: "2-digit" });
      case "ago": return ago(ms);
      default: unknown = true; return "";
    }
  });
  return unknown ? fallback ?? text : text.replace(/^(today|yesterday|tomorrow)/, (word) => word[0].toUpperCase() + word.slice(1));
}

function ago(ms) {
  const seconds = Math.round((now() - ms) / 1000);
  const size = Math.abs(seconds);
  const text = size < 60 ? `${size} sec` : size < 3600 ? `${Math.round(size / 60)} min` : size < 86400 ? `${Math.round(size / 3600)} h` : `${Math.round(size / 86400)} days`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

export function dateNode(seconds, pattern, fallback, url) {
  const iso = Number.isFinite(Number(seconds)) ? new Date(Number(seconds) * 1000).toISOString() : null;
  const el = h("time", { datetime: iso, title: iso ? `${format(Number(seconds) * 1000, myZone(), { dateStyle: "full", timeStyle: "long" })}` : null }, dateText(seconds, pattern, fallback));
  return url ? link(url, el) : el;
}

function angle(inner) {
  const bar = inner.indexOf("|");
  const head = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : unescape(inner.slice(bar + 1));
  if (head.startsWith("@")) return mention(head.slice(1), label);
  if (head.startsWith("#")) return channelLink(head.slice(1), label);
  if (head.startsWith("!subteam^")) return groupMention(head.slice(9), label);
  if (head.startsWith("!date^")) {
    const [, seconds, pattern, url] = head.split("^");
    return dateNode(seconds, unescape(pattern ?? ""), label, url && unescape(url));
  }
  if (head.startsWith("!")) return broadcast(label || head.slice(1));
  if (/^[a-z][a-z0-9+.-]*:/i.test(head)) return label ? link(unescape(head), label) : link(unescape(head));
  return `<${unescape(inner)}>`;
}

const TOKEN = /<([^<>\n]+)>|`([^`\n]+)`|:([a-z0-9_+'-]+(?:::skin-tone-\d)?):|(https?:\/\/[^\s<>|]+[^\s<>|.,;:!?'")\]])|[*_~]/giu;
const TAGS = { "*": "b", _: "i", "~": "s" };
const edge = (char) => !char || !/[\p{L}\p{N}]/u.test(char);

/** One line of mrkdwn. A mark that finds no partner once finds none later either, so the scan stays linear. */
function inline(text, depth = 0) {
  const out = [];
  const dead = {};
  let at = 0;
  TOKEN.lastIndex = 0;
  const push = (from, to) => { if (to > from) out.push(unescape(text.slice(from, to))); };
  for (let hit; (hit = TOKEN.exec(text)); ) {
    const [whole, inner, code, name, url] = hit;
    const start = hit.index;
    const after = TOKEN.lastIndex;
    if (inner) { push(at, start); out.push(angle(inner)); at = after; }
    else if (code) { push(at, start); out.push(h("code", {}, unescape(code))); at = after; }
    else if (name) { if (EMOJI.has(name.split("::")[0])) { push(at, start); out.push(emoji(name)); at = after; } else TOKEN.lastIndex = after - 1; }
    else if (url) { push(at, start); out.push(link(unescape(url))); at = after; }
    else if (depth < 4 && !dead[whole] && edge(text[start - 1]) && text[start + 1] && !/\s/.test(text[start + 1])) {
      const end = partner(text, start, whole);
      if (end < 0) { dead[whole] = true; continue; }
      push(at, start);
      out.push(h(TAGS[whole], {}, inline(text.slice(start + 1, end), depth + 1)));
      at = end + 1;
      TOKEN.lastIndex = at;
    }
  }
  push(at, text.length);
  return out;
}

function partner(text, start, mark) {
  for (let i = text.indexOf(mark, start + 2); i > 0; i = text.indexOf(mark, i + 1)) {
    if (!/\s/.test(text[i - 1]) && edge(text[i + 1])) {
      const open = text.lastIndexOf("<", i);
      if (open > start && text.indexOf(">", open) > i) continue;
      return i;
    }
  }
  return -1;
}

const QUOTE = /^(?:&gt;|>) ?/;
const ITEM = /^(\s*)(•|◦|▪|-|\*|\d{1,3}[.)]) +(?=\S)/;

/** mrkdwn to block nodes: paragraphs, quotes, hanging list lines and preformatted parts. */
export function mrkdwn(text) {
  const parts = String(text ?? "").split("```");
  const out = [];
  parts.forEach((part, index) => {
    const closed = index < parts.length - 1;
    if (index % 2 && closed) {
      out.push(h("pre", {}, h("code", {}, unescape(part.replace(/^\n|\n$/g, "")).replace(/<((?:https?|mailto):[^<>|]+)(?:\|([^<>]+))?>/g, (_, url, label) => label ?? url))));
    } else {
      const trimmed = closed ? part.replace(/\n$/, "") : part;
      out.push(...lines((index % 2 ? "```" : "") + (index ? trimmed.replace(/^\n/, "") : trimmed)));
    }
  });
  return out;
}

function lines(text) {
  if (!text) return [];
  const out = [];
  let kind = null;
  let box = null;
  const all = text.split("\n");
  for (let n = 0; n < all.length; n += 1) {
    let line = all[n];
    if (/^(?:&gt;){3}|^>>>/.test(line)) {
      const rest = [line.replace(/^(?:&gt;){3} ?|^>>> ?/, ""), ...all.slice(n + 1)];
      out.push(h("blockquote", {}, rest.flatMap((l, i) => [i ? h("br") : null, ...inline(l)])));
      break;
    }
    const quoted = QUOTE.test(line);
    const item = !quoted && line.match(ITEM);
    const next = quoted ? "blockquote" : item ? "item" : "p";
    if (quoted) line = line.replace(QUOTE, "");
    if (item) {
      out.push(h("div", { class: "item" }, h("span", { class: "mark" }, item[2].replace(/^[-*]$/, "•")), h("span", {}, inline(line.slice(item[0].length)))));
      box = null;
    } else if (kind === next && box) {
      box.append(h("br"), ...inline(line));
    } else {
      out.push(box = h(quoted ? "blockquote" : "p", {}, inline(line)));
    }
    kind = next;
  }
  return out;
}

/** mrkdwn in one line: topics, context texts, previews. */
export const mrkdwnLine = (text) => String(text ?? "").split("\n").flatMap((line, i) => [i ? " " : null, ...inline(line)]);

/** A text object (or bare string) as inline nodes. */
export function plain(text, withEmoji = true) {
  const value = unescape(String(typeof text === "object" ? text?.text ?? "" : text ?? ""));
  if (!withEmoji) return [value];
  return value.split(/(:[a-z0-9_+'-]+:)/i).map((part) => (/^:.+:$/.test(part) ? emoji(part.slice(1, -1)) : part)).filter((part) => part !== "");
}

export function textObject(text, { inlineOnly = false } = {}) {
  if (!text) return [];
  if (text.type === "mrkdwn") return inlineOnly ? mrkdwnLine(text.text) : mrkdwn(text.text);
  const nodes = plain(text, text.emoji !== false);
  return inlineOnly ? nodes : [h("p", { class: "plain" }, nodes)];
}

/** The words alone, for names of controls, previews and announcements. */
export function words(nodes) {
  return [nodes].flat(9).map((node) => (typeof node === "string" ? node : node?.textContent ?? "")).join("").trim();
}

/** Standard Markdown, as in `markdown` blocks: headings, lists, tasks, quotes, fences, rules, tables. */
export function markdown(text) {
  const rows = String(text ?? "").split("\n");
  const out = [];
  let paragraph = [];
  const flush = () => { if (paragraph.length) out.push(h("p", {}, paragraph.flatMap((row, i) => [i ? h("br") : null, ...span(row)]))); paragraph = []; };
  for (let n = 0; n < rows.length; n += 1) {
    const row = rows[n];
    let m;
    if (/^\s*```/.test(row)) {
      flush();
      const from = n + 1;
      do n += 1; while (n < rows.length && !/^\s*```/.test(rows[n]));
      out.push(h("pre", {}, h("code", {}, rows.slice(from, n).join("\n"))));
    } else if ((m = row.match(/^(#{1,6})\s+(.*)/))) {
      flush();
      out.push(h("div", { role: "heading", "aria-level": m[1].length < 3 ? "3" : "4", class: `md-h md-h${m[1].length}` }, span(m[2])));
    } else if (/^\s*([-*_])(?:\s*\1){2,}\s*$/.test(row)) {
      flush();
      out.push(h("hr"));
    } else if ((m = row.match(/^>\s?(.*)/))) {
      flush();
      const quote = [m[1]];
      while (/^>/.test(rows[n + 1] ?? "")) quote.push(rows[n += 1].replace(/^>\s?/, ""));
      out.push(h("blockquote", {}, quote.flatMap((q, i) => [i ? h("br") : null, ...span(q)])));
    } else if ((m = row.match(/^(\s*)([-*+]|\d+[.)])\s+(?:\[([ xX])\]\s+)?(.*)/))) {
      flush();
      const mark = m[3] ? (m[3] === " " ? "☐" : "☑") : /\d/.test(m[2]) ? m[2] : "•";
      out.push(h("div", { class: `item deep${Math.min(3, Math.floor(m[1].length / 2))}` }, h("span", { class: "mark" }, mark), h("span", {}, span(m[4]))));
    } else if (/^\s*\|.*\|\s*$/.test(row) && /^[\s|:-]+$/.test(rows[n + 1] ?? "")) {
      flush();
      const cells = (line) => line.trim().slice(1, -1).split("|").map((cell) => span(cell.trim()));
      const head = cells(row);
      const body = [];
      n += 1;
      while (/^\s*\|.*\|\s*$/.test(rows[n + 1] ?? "")) body.push(cells(rows[n += 1]));
      out.push(h("div", { class: "scroll-x" }, h("table", {}, h("tr", {}, head.map((c) => h("th", { scope: "col" }, c))), body.map((r) => h("tr", {}, r.map((c) => h("td", {}, c)))))));
    } else if (!row.trim()) flush();
    else paragraph.push(row);
  }
  flush();
  return out;
}

function span(text, depth = 0) {
  const re = /\[([^\]]+)\]\(([^()\s]+)\)|`([^`]+)`|\*\*([^*]+)\*\*|~~([^~]+)~~|(?<!\w)[*_]([^*_\s][^*_]*)[*_](?!\w)|<([^<>\s]+)>|:([a-z0-9_+-]+):|(https?:\/\/[^\s<>)]+)/giu;
  const out = [];
  let at = 0;
  if (depth > 3) return [text];
  for (const m of text.matchAll(re)) {
    if (m.index > at) out.push(text.slice(at, m.index));
    at = m.index + m[0].length;
    const [whole, label, url, code, bold, strike, italic, inner, name, bare] = m;
    if (label) out.push(link(url, span(label, depth + 1)));
    else if (code) out.push(h("code", {}, code));
    else if (bold) out.push(h("b", {}, span(bold, depth + 1)));
    else if (strike) out.push(h("s", {}, span(strike, depth + 1)));
    else if (italic) out.push(h("i", {}, span(italic, depth + 1)));
    else if (inner) out.push(/^[@#!]|^https?:|^mailto:/.test(inner) ? angle(inner) : whole);
    else if (name) out.push(emoji(name));
    else out.push(link(bare));
  }
  if (at < text.length) out.push(text.slice(at));
  return out;
}
