/**
 * Shows what came back: cards, nothing to say, or an error. An error never looks like nothing to say.
 * @module answer
 */
import { succeeded } from "./client.js";
import { cardElement } from "./cards.js";
import { element } from "./element.js";
import { t } from "./words.js";

/**
 * @param {import("./client.js").Answer} answer
 * @param {(item: Object) => Promise<string>} tell sends feedback
 * @returns {Promise<{status: string, nodes: Node[]}>} one line, and what stands below it
 */
export async function answerNodes(answer, tell) {
  const took = `${Math.round(answer.milliseconds)} ms`;
  if (answer.status === 0) {
    return { status: t("Error: no answer."), nodes: [problem(t("The service could not be reached."), [])] };
  }
  const line = `HTTP ${answer.status}, ${took}`;
  const failed = t("Error: {line}.", { line });
  if (!succeeded(answer)) {
    const refused = t("The service refused the call (HTTP {status}).", { status: answer.status });
    const words = answer.status < 300 ? t("The answer is not JSON.") : refused;
    return { status: failed, nodes: [problem(words, issues(answer))] };
  }
  const cards = answer.body?.cards;
  if (!Array.isArray(cards)) {
    return { status: failed, nodes: [problem(t("The answer holds no list of cards."), [])] };
  }
  if (!cards.length) {
    const nothing = element("p", { class: "nothing" }, t("The service had nothing to say."));
    return { status: t("{line}, no card.", { line }), nodes: [nothing] };
  }
  const nodes = [];
  for (const [at, card] of cards.entries()) nodes.push(await cardElement(card, at, tell));
  const number = cards.length;
  return { status: number === 1 ? t("{line}, 1 card.", { line }) : t("{line}, {number} cards.", { line, number }), nodes };
}

/**
 * Say in one line why a call failed.
 * @param {import("./client.js").Answer} answer
 * @returns {string} "" when it did not
 */
export function failure(answer) {
  if (answer.status === 0) return t("the service could not be reached.");
  if (answer.status >= 200 && answer.status < 300) return "";
  return [`HTTP ${answer.status}.`, ...issues(answer)].join(" ");
}

function problem(words, details) {
  return element(
    "div",
    { class: "problem", role: "alert" },
    element("p", { class: "indicator" }, element("span", { class: "mark", "aria-hidden": "true" }, "×"), t("Error")),
    element("p", { class: "what" }, words),
    ...details.map((detail) => element("p", {}, detail)),
    element("p", { class: "note" }, t("Nothing was judged. This says nothing about the patient.")),
  );
}

function issues(answer) {
  const found = Array.isArray(answer.body?.issue) ? answer.body.issue : [];
  const words = found.map((issue) => {
    const where = Array.isArray(issue?.expression) ? ` (${issue.expression.join(", ")})` : "";
    return `${issue?.diagnostics ?? issue?.code ?? t("No reason was given.")}${where}`;
  });
  return answer.correlation ? [...words, t("In the service's log: {id}", { id: answer.correlation })] : words;
}
