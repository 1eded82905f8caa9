/**
 * The page's words in its language. The English words are the key, as in the service's own catalogue.
 * @module words
 */
const said = JSON.parse(document.body.dataset.words || "{}");

/** The language of the page, in which cards are asked for too. */
export const language = document.documentElement.lang;

/**
 * Say a template of ours.
 * @param {string} template a literal, so that translators see it
 * @param {Object<string, unknown>} [values] what stands in its places
 * @returns {string}
 */
export function t(template, values = {}) {
  return words(template).replace(/\{(\w+)\}/g, (place, name) => (Object.hasOwn(values, name) ? String(values[name]) : place));
}

/**
 * Say a template with one element in it.
 * @param {string} text of `t`, its place still open
 * @param {string} place such as "{day}"
 * @param {Node} node
 * @returns {(Node|string)[]}
 */
export function around(text, place, node) {
  const [before, after] = text.split(place);
  return [before, node, after ?? ""];
}

/** Text that is a key by chance, such as "constructor", is no word of ours. */
const words = (template) => (Object.hasOwn(said, template) ? said[template] : template);
