/**
 * Shows Markdown. The service's page address parses it to a tree; here the tree becomes elements of a short list.
 * @module markdown
 */
import { call, succeeded } from "./client.js";
import { element, link } from "./element.js";

const ELEMENTS = new Set(
  "p strong em code pre ul ol li blockquote hr br h4 h5 h6 table thead tbody tr th td".split(" "),
);

/**
 * @param {string} text Markdown
 * @returns {Promise<HTMLElement>} the text as it is where it cannot be parsed
 */
export async function markdown(text) {
  const answer = await call("simulator/markdown", { markdown: text });
  if (!succeeded(answer)) return element("pre", { class: "detail" }, text);
  return element("div", { class: "detail" }, ...answer.body.nodes.map(shown));
}

/** @param {string|{tag: string, href?: string, children: Array}} node */
function shown(node) {
  if (typeof node === "string") return node;
  const children = node.children.map(shown);
  if (node.tag === "a") return link(node.href, ...children);
  if (node.tag === "th" && !children.length) return element("td");
  if (node.tag === "th") return element("th", { scope: "col" }, ...children);
  // Wide tables scroll by themselves, by keyboard too.
  if (node.tag === "table") {
    const frame = { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Criteria" };
    return element("div", frame, element("table", {}, ...children));
  }
  return ELEMENTS.has(node.tag) ? element(node.tag, {}, ...children) : element("span", {}, ...children);
}
