// Block Kit's layout blocks, rich text, attachments and files as nodes.

import { h, icon, nextId } from "./dom.js";
import { element, image, unknown, elementsOf } from "./elements.js";
import { mrkdwn, textObject, plain, words, markdown, emoji, link, mention, channelLink, groupMention, broadcast, dateNode, safeUrl } from "./text.js";

/** `ctx` = {container, key, channel, blocks}: where actions come from and where values are kept. */
export const renderBlocks = (blocks, ctx) => (blocks ?? []).map((block) => renderBlock(block, { ...ctx, blocks: ctx.blocks ?? blocks }));

function renderBlock(block, ctx) {
  try {
    const node = DRAW[block.type]?.(block, ctx) ?? h("div", { class: "b unknown" }, h("b", {}, String(block.type)), " block is not drawn here", h("details", {}, h("summary", {}, "Content"), h("pre", {}, JSON.stringify(block, null, 2))));
    if (block.block_id) node.setAttribute("data-block", block.block_id);
    return node;
  } catch (error) {
    return h("div", { class: "b unknown" }, h("b", {}, String(block?.type)), ` block could not be drawn: ${error.message}`);
  }
}

const DRAW = {
  section: (block, ctx) => h("div", { class: "b section" },
    h("div", { class: "grow" }, textObject(block.text), block.fields?.length && h("div", { class: "fields" }, block.fields.map((field) => h("div", {}, textObject(field))))),
    block.accessory && h("div", { class: "accessory" }, element(block.accessory, block, ctx, block.accessory.type === "button" ? "" : words(plain(block.text)).slice(0, 80)))),
  header: (block) => h("div", { class: "b header", role: "heading", "aria-level": "3" }, plain(block.text)),
  context: (block) => h("div", { class: "b context" }, (block.elements ?? []).map((el) => (el.type === "image" ? image(el, "tiny") : h("span", {}, textObject(el, { inlineOnly: true }))))),
  actions: (block, ctx) => h("div", { class: "b actions" }, (block.elements ?? []).map((el) => element(el, block, ctx))),
  divider: () => h("hr", { class: "b" }),
  image: (block) => h("figure", { class: "b picture" }, block.title && h("figcaption", {}, plain(block.title)), image(block, "full")),
  video: (block) => h("div", { class: "b" }, link(block.title_url ?? block.video_url ?? "", plain(block.title))),
  file: () => h("div", { class: "b context" }, icon("file"), "Shared file"),
  markdown: (block) => h("div", { class: "b prose" }, markdown(block.text)),
  rich_text: (block) => h("div", { class: "b prose" }, richText(block.elements ?? [])),
  input: inputBlock,
};

function inputBlock(block, ctx) {
  const el = block.element ?? { type: "missing" };
  const label = words(plain(block.label));
  const [labelId, errorId, hintId] = [nextId("l"), nextId("e"), nextId("h")];
  const node = element(el, block, { ...ctx, labelled: label }, label);
  const control = node.matches("input,textarea,button,fieldset") ? node : node.querySelector("input,textarea,button");
  control?.setAttribute("aria-describedby", `${errorId} ${hintId}`);
  if (node.matches("fieldset")) node.setAttribute("aria-labelledby", labelId);
  else if (control && !control.matches("button")) { control.id = nextId("c"); if (!block.optional) control.setAttribute("aria-required", "true"); }
  return h("div", { class: "b input" },
    h(control?.id ? "label" : "div", { class: "label", id: labelId, for: control?.id || null }, plain(block.label), block.optional && h("span", { class: "hint" }, " (optional)")),
    node, h("p", { class: "error", id: errorId, hidden: true }), h("p", { class: "hint small", id: hintId, hidden: !block.hint }, plain(block.hint ?? "")));
}

export const interactive = (blocks) => (blocks ?? []).some((block) => elementsOf(block).some((el) => el.type !== "image") || ["header", "divider", "image"].includes(block.type) || block.fields);

const styled = (node, style) => ["bold", "italic", "strike", "underline", "code"].reduce((inner, name, i) => (style?.[name] ? h(["b", "i", "s", "u", "code"][i], {}, inner) : inner), node);

const leaves = (list) => (list ?? []).map((leaf) => {
  switch (leaf.type) {
    case "text": return styled(leaf.text, leaf.style);
    case "link": return styled(link(leaf.url, leaf.text || leaf.url), leaf.style);
    case "emoji": return emoji(leaf.name);
    case "user": return styled(mention(leaf.user_id), leaf.style);
    case "usergroup": return groupMention(leaf.usergroup_id);
    case "channel": return channelLink(leaf.channel_id);
    case "broadcast": return broadcast(leaf.range);
    case "date": return dateNode(leaf.timestamp, leaf.format, leaf.fallback, leaf.url);
    case "color": return leaf.value;
    default: return unknown(leaf.type);
  }
});

// Line breaks inside rich text are characters; CSS keeps them (white-space: pre-wrap).
function richText(parts) {
  const out = [];
  let list = null;
  for (const part of parts) {
    if (part.type !== "rich_text_list") list = null;
    switch (part.type) {
      case "rich_text_section": out.push(h("p", { class: "pre" }, leaves(part.elements))); break;
      case "rich_text_preformatted": out.push(h("pre", {}, h("code", {}, leaves(part.elements)))); break;
      case "rich_text_quote": out.push(h("blockquote", { class: "pre" }, leaves(part.elements))); break;
      case "rich_text_list": {
        const ordered = part.style === "ordered";
        list = h(ordered ? "ol" : "ul", { class: `deep${Math.min(part.indent ?? 0, 4)}`, start: ordered && part.offset ? String(part.offset + 1) : null }, (part.elements ?? []).map((item) => h("li", { class: "pre" }, leaves(item.elements))));
        out.push(list);
        break;
      }
      default: out.push(h("p", {}, unknown(part.type)));
    }
  }
  return out;
}

const NAMED = { good: "#2f8f5b", warning: "#c98a14", danger: "#c0392b" };

export function attachment(item, ctx) {
  const node = h("div", { class: "attachment" },
    item.pretext && h("div", {}, mrkdwn(item.pretext)),
    h("div", { class: "attached" },
      item.author_name && h("div", { class: "small strong" }, item.author_link ? link(item.author_link, plain(item.author_name)) : plain(item.author_name)),
      item.title && h("div", { class: "strong" }, item.title_link ? link(item.title_link, plain(item.title)) : plain(item.title)),
      item.text && mrkdwn(item.text),
      !item.text && !item.blocks && !item.title && item.fallback && mrkdwn(item.fallback),
      item.fields?.length && h("div", { class: "fields" }, item.fields.map((f) => h("div", { class: f.short ? null : "wide" }, h("div", { class: "strong" }, plain(f.title)), mrkdwn(f.value)))),
      renderBlocks(item.blocks, { ...ctx, blocks: item.blocks }),
      item.image_url && image({ image_url: item.image_url, alt_text: item.fallback }, "full"),
      item.actions?.length && unknown("legacy attachment action"),
      item.footer && h("div", { class: "small hint" }, plain(item.footer))));
  const color = NAMED[item.color] ?? (/^#?[0-9a-f]{6}$/i.test(item.color ?? "") ? `#${item.color.replace("#", "")}` : null);
  if (color) node.style.setProperty("--bar", color);
  return node;
}

export function fileNode(file) {
  const url = safeUrl(file.url ?? file.url_private ?? file.permalink ?? "");
  const name = file.title || file.name || "File";
  if (file.mimetype?.startsWith("image/") && file.url) return h("figure", { class: "picture" }, h("figcaption", {}, name), image({ image_url: file.url, alt_text: file.alt_txt || name }, "full"));
  const size = Number.isFinite(file.size) ? (file.size < 1024 ? `${file.size} bytes` : `${Math.round(file.size / 1024)} KB`) : null;
  const about = [(file.name ?? "").split(".").slice(1).pop()?.toUpperCase(), size].filter(Boolean).join(" · ");
  const named = h("span", { class: "grow" }, h("b", {}, name), h("small", {}, about));
  if (!url || !file.url) return h("div", { class: "file" }, icon("file"), named);
  const download = safeUrl(file.download ?? file.url);
  return h("div", { class: "file" },
    h("a", { class: "open", href: url, target: "_blank", rel: "noopener noreferrer", title: `Open ${name}` }, icon("file"), named),
    h("a", { class: "download", href: download, download: file.name ?? "", title: `Download ${name}` }, "Download"));
}
