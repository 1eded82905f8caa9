/**
 * Calls the service over HTTP, as any browser-based EHR would.
 * @module client
 */

/**
 * @typedef {Object} Answer
 * @property {number} status of HTTP; 0 when no answer came
 * @property {unknown} body parsed JSON; the text itself when it is no JSON
 * @property {boolean} isJson
 * @property {string} correlation the service's own number of the call, "" when it gives none
 * @property {number} milliseconds
 */

/**
 * @param {string} path relative to the page
 * @param {unknown} [body] sent as JSON by POST; GET without it
 * @param {string} [language] that the answer is wanted in
 * @returns {Promise<Answer>}
 */
export async function call(path, body, language) {
  const started = performance.now();
  try {
    const response = await fetch(path, {
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(language === undefined ? {} : { "Accept-Language": language }),
      },
      credentials: "omit",
      redirect: "error",
    });
    const text = await response.text();
    const milliseconds = performance.now() - started;
    const correlation = response.headers.get("X-Correlation-Id") ?? "";
    return { status: response.status, ...parsed(text), correlation, milliseconds };
  } catch {
    const milliseconds = performance.now() - started;
    return { status: 0, body: "", isJson: false, correlation: "", milliseconds };
  }
}

/**
 * @param {Answer} answer
 * @returns {boolean} whether the call succeeded and gave JSON
 */
export const succeeded = (answer) => answer.status >= 200 && answer.status < 300 && answer.isJson;

/** @param {string} text */
function parsed(text) {
  try {
    return { body: JSON.parse(text), isJson: true };
  } catch {
    return { body: text, isJson: false };
  }
}
