/**
 * Builds what the page shows. Text goes in as text nodes only: nothing that came over the wire is ever parsed as HTML.
 * @module element
 */

/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, string|boolean|Function>} [given] attributes; a function is a listener, `true` a bare attribute
 * @param {...(Node|string|null|undefined)} children strings become text
 * @returns {HTMLElement}
 */
export function element(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/**
 * Return an address if it is one of the web: no `javascript:`, no `data:`, nothing relative.
 * @param {unknown} address
 * @returns {string|null}
 */
export function webAddress(address) {
  try {
    const parsed = new URL(String(address));
    return parsed.protocol === "https:" || parsed.protocol === "http:" ? parsed.href : null;
  } catch {
    return null;
  }
}

/**
 * Make a link that tells the other side nothing, or plain text where the address is none of the web.
 * @param {unknown} address
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
export function link(address, ...children) {
  const href = webAddress(address);
  if (href === null) return element("span", {}, ...children);
  return element("a", { href, rel: "noopener noreferrer", target: "_blank" }, ...children);
}
