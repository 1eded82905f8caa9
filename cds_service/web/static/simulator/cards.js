/**
 * Shows cards as a chart would, and lets them be accepted or dismissed.
 * @module cards
 */
import { element, link } from "./element.js";
import { markdown } from "./markdown.js";
import { around, t } from "./words.js";

const MARKS = { info: ["i", t("Information")], warning: ["!", t("Warning")], critical: ["!!", t("Critical")] };

/**
 * @param {Object} card of the answer
 * @param {number} at its place, from 0
 * @param {(item: Object) => Promise<string>} tell sends one item of feedback; gives "" or why it was not taken
 * @returns {Promise<HTMLElement>}
 */
export async function cardElement(card, at, tell) {
  const heading = `card-${at}`;
  const indicator = Object.hasOwn(MARKS, card.indicator) ? card.indicator : "info";
  const [mark, word] = MARKS[indicator];
  return element(
    "article",
    { class: `card ${indicator}`, "aria-labelledby": heading },
    element("p", { class: "indicator" }, element("span", { class: "mark", "aria-hidden": "true" }, mark), word),
    element("h3", { id: heading }, String(card.summary ?? "")),
    card.detail ? await markdown(String(card.detail)) : null,
    suggestionsElement(card, tell),
    linksElement(card),
    sourceElement(card.source),
    dismissal(card, at, tell),
  );
}

function sourceElement(source) {
  const named = link(source?.url, String(source?.label ?? t("not named")));
  return element("p", { class: "source" }, ...around(t("Source: {source}"), "{source}", named));
}

function linksElement(card) {
  const links = list(card.links);
  if (!links.length) return null;
  return element("ul", { class: "links" }, ...links.map((one) => element("li", {}, ...linkParts(one))));
}

function linkParts(one) {
  const label = String(one?.label ?? "");
  return one?.type === "smart" ? [t("{label} (a SMART app; not launched here)", { label })] : [link(one?.url, label)];
}

function suggestionsElement(card, tell) {
  const suggestions = list(card.suggestions);
  if (!suggestions.length) return null;
  const rows = suggestions.map((one) => suggestionElement(one, card, tell));
  return element("ul", { class: "suggestions", "aria-label": t("Suggestions") }, ...rows);
}

function suggestionElement(suggestion, card, tell) {
  const row = element("li");
  const label = String(suggestion?.label ?? "");
  const button = element("button", { type: "button", click: accept }, label);
  // Without both ids there is nothing to say it with.
  button.disabled = !card.uuid || !suggestion?.uuid;
  row.append(button, suggestion?.isRecommended ? element("span", { class: "tag" }, t("recommended")) : "");
  row.append(
    element(
      "details",
      {},
      element("summary", {}, t("What “{label}” would do", { label })),
      element(
        "pre",
        { tabindex: "0", role: "region", "aria-label": t("Actions of {label}", { label }) },
        JSON.stringify(suggestion?.actions ?? [], null, 2),
      ),
    ),
  );
  return row;

  async function accept() {
    button.disabled = true;
    const why = await tell({
      card: card.uuid,
      outcome: "accepted",
      acceptedSuggestions: [{ id: suggestion.uuid }],
      outcomeTimestamp: new Date().toISOString(),
    });
    if (why) button.disabled = false;
    else if (card.selectionBehavior === "at-most-one") disableOthers(row.parentElement);
    report(row, why, t("Accepted: the service was told."));
  }
}

function disableOthers(rows) {
  for (const button of rows.querySelectorAll("button")) button.disabled = true;
}

function dismissal(card, at, tell) {
  // Feedback names the card by its uuid: without one the service asks for none.
  if (!card.uuid) return null;
  const reasons = list(card.overrideReasons);
  const choice = element(
    "select",
    { id: `reason-${at}` },
    element("option", { value: "" }, t("No reason given")),
    ...reasons.map((reason, index) => element("option", { value: String(index) }, String(reason?.display ?? ""))),
  );
  const comment = element("input", { id: `comment-${at}`, type: "text", maxlength: "500", autocomplete: "off" });
  const button = element("button", { type: "submit" }, t("Dismiss this card"));
  const form = element(
    "form",
    { submit: dismiss, "aria-label": t("Dismiss") },
    element("p", {}, element("label", { for: choice.id }, t("Reason")), choice),
    element("p", {}, element("label", { for: comment.id }, t("Comment, no patient data (optional)")), comment),
    element("p", {}, button),
  );
  const box = element("details", { class: "dismissal" }, element("summary", {}, t("Dismiss …")), form);
  return box;

  async function dismiss(event) {
    event.preventDefault();
    button.disabled = true;
    const reason = reasons[Number(choice.value)];
    const given = {
      ...(choice.value && reason ? { reason: { code: reason.code, system: reason.system } } : {}),
      ...(comment.value.trim() ? { userComment: comment.value.trim() } : {}),
    };
    const why = await tell({
      card: card.uuid,
      outcome: "overridden",
      ...(Object.keys(given).length ? { overrideReason: given } : {}),
      outcomeTimestamp: new Date().toISOString(),
    });
    if (why) button.disabled = false;
    else box.closest(".card").classList.add("dismissed");
    const done = choice.value && reason ? t("Dismissed: {reason}.", { reason: reason.display }) : t("Dismissed.");
    report(box, why, `${done} ${t("Send again to see what the service makes of it.")}`);
    if (!why) form.remove();
  }
}

/** Say how feedback fared, and bring keyboard users there: what they pressed may be gone. */
function report(place, why, done) {
  place.querySelector(":scope > .told")?.remove();
  const words = why ? t("Feedback was not taken: {why}", { why }) : done;
  const told = element("p", { class: why ? "told failed" : "told", role: why ? "alert" : "status", tabindex: "-1" }, words);
  place.append(told);
  told.focus();
}

const list = (value) => (Array.isArray(value) ? value : []);
