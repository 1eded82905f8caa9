/**
 * Shows what came back: cards, nothing to say, or an error. An error never looks like nothing to say.
 * @module answer
 */
import { succeeded } from "./client.js";
import { cardElement } from "./cards.js";
import { element } from "./element.js";

/**
 * @param {import("./client.js").Answer} answer
 * @param {(item: Object) => Promise<string>} tell sends feedback
 * @returns {Promise<{status: string, nodes: Node[]}>} one line, and what stands below it
 */
export async function answerNodes(answer, tell) {
  const took = `${Math.round(answer.milliseconds)} ms`;
  if (answer.status === 0) {
    return { status: "Error: no answer.", nodes: [problem("The service could not be reached.", [])] };
  }
  const line = `HTTP ${answer.status}, ${took}`;
  if (!succeeded(answer)) {
    const words = answer.status < 300 ? "The answer is not JSON." : `The service refused the call (HTTP ${answer.status}).`;
    return { status: `Error: ${line}.`, nodes: [problem(words, issues(answer))] };
  }
  const cards = answer.body?.cards;
  if (!Array.isArray(cards)) {
    return { status: `Error: ${line}.`, nodes: [problem("The answer holds no list of cards.", [])] };
  }
  if (!cards.length) {
    const nothing = element("p", { class: "nothing" }, "The service had nothing to say.");
    return { status: `${line}, no card.`, nodes: [nothing] };
  }
  const nodes = [];
  for (const [at, card] of cards.entries()) nodes.push(await cardElement(card, at, tell));
  return { status: `${line}, ${cards.length} ${cards.length === 1 ? "card" : "cards"}.`, nodes };
}

/**
 * Say in one line why a call failed.
 * @param {import("./client.js").Answer} answer
 * @returns {string} "" when it did not
 */
export function failure(answer) {
  if (answer.status === 0) return "the service could not be reached.";
  if (answer.status >= 200 && answer.status < 300) return "";
  return [`HTTP ${answer.status}.`, ...issues(answer)].join(" ");
}

function problem(words, details) {
  return element(
    "div",
    { class: "problem", role: "alert" },
    element("p", { class: "indicator" }, element("span", { class: "mark", "aria-hidden": "true" }, "×"), "Error"),
    element("p", { class: "what" }, words),
    ...details.map((detail) => element("p", {}, detail)),
    element("p", { class: "note" }, "Nothing was judged. This says nothing about the patient."),
  );
}

function issues(answer) {
  const found = Array.isArray(answer.body?.issue) ? answer.body.issue : [];
  const words = found.map((issue) => {
    const where = Array.isArray(issue?.expression) ? ` (${issue.expression.join(", ")})` : "";
    return `${issue?.diagnostics ?? issue?.code ?? "No reason was given."}${where}`;
  });
  return answer.correlation ? [...words, `In the service's log: ${answer.correlation}`] : words;
}
