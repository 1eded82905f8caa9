/**
 * The page: choose a chart and a hook, send, see what comes back.
 * @module main
 */
import { answerNodes, failure } from "./answer.js";
import { call, succeeded } from "./client.js";
import { element } from "./element.js";
import { banner, patientOf } from "./patient.js";
import { hookRequest, isAboutOrders } from "./request.js";
import { around, language, t } from "./words.js";

const at = (id) => document.getElementById(id);
const chart = { bundle: null, patient: null };
const FIRST_STORY = "candidate";
let stories = [];
let services = [];
let orders = [];

await start();

async function start() {
  at("call").addEventListener("submit", send);
  at("story").addEventListener("change", openStory);
  at("file").addEventListener("change", openFile);
  at("service").addEventListener("change", showService);
  const [setup, discovery, offered] = await Promise.all([
    askDay(),
    call("cds-services", undefined, language),
    call("simulator/static/orders.json"),
  ]);
  stories = succeeded(setup) ? setup.body.stories : [];
  services = succeeded(discovery) && Array.isArray(discovery.body.services) ? discovery.body.services : [];
  orders = succeeded(offered) ? offered.body.orders : [];
  at("fhir-server").value = setup.body?.fhirServer ?? "";
  at("story").append(...stories.map((one) => element("option", { value: one.name }, one.title)));
  at("service").append(...services.map((one) => element("option", { value: one.id }, `${one.hook}: ${one.title ?? one.id}`)));
  at("orders").append(...orders.map(orderChoice));
  if (!services.length) at("status").textContent = t("Error: discovery failed. {why}", { why: failure(discovery) });
  showService();
  if (stories.some((one) => one.name === FIRST_STORY)) at("story").value = FIRST_STORY;
  if (stories.length) await openStory();
  else openChart(null, t("There are no example patients here: open a Bundle file, or run the service from a checkout."));
  // Tests and people with a slow machine can tell when the page is ready.
  document.body.dataset.ready = "true";
}

/** Ask which day the service judges, and show it. */
async function askDay() {
  const setup = await call("simulator/setup", undefined, language);
  const day = setup.body?.asOf;
  const shown = element("strong", {}, String(day ?? t("an unknown day")));
  at("day").replaceChildren(...around(t("The service judges as of {day}."), "{day}", shown));
  return setup;
}

async function openStory() {
  const story = stories.find((one) => one.name === at("story").value);
  at("file").value = "";
  const answer = await call(`simulator/stories/${encodeURIComponent(story.name)}`);
  const stale = (await askDay()).body?.asOf === story.asOf ? "" : t("On another day its results may be too old.");
  const written = t("Written for {day}; expected then: {expected}.", { day: story.asOf, expected: story.status });
  openChart(succeeded(answer) ? answer.body : null, [story.text, written, stale].filter(Boolean).join(" "));
}

async function openFile() {
  const [file] = at("file").files;
  if (!file) return;
  try {
    openChart(JSON.parse(await file.text()), t("Read from a file; it stays in this page until you send it."));
  } catch {
    openChart(null, t("The file is not JSON."));
  }
}

function openChart(bundle, words) {
  chart.patient = patientOf(bundle);
  chart.bundle = chart.patient ? bundle : null;
  at("story-text").textContent = bundle && !chart.patient ? t("The Bundle holds no Patient.") : words;
  at("patient").replaceChildren(...banner(chart.patient));
  at("send").disabled = !chart.bundle || !services.length;
}

function showService() {
  const service = services.find((one) => one.id === at("service").value);
  at("service-text").textContent = service?.description ?? "";
  at("orders").hidden = !isAboutOrders(service?.hook);
}

function orderChoice(order, index) {
  const id = `order-${index}`;
  const box = element("input", { id, type: "checkbox", value: String(index) });
  box.checked = index === 0;
  return element("p", { class: "choice" }, box, element("label", { for: id }, t(order.label)));
}

function chosenOrders() {
  return [...at("orders").querySelectorAll("input:checked")].map((box) => orders[Number(box.value)].resource);
}

async function send(event) {
  event.preventDefault();
  const service = services.find((one) => one.id === at("service").value);
  const request = hookRequest({
    service,
    bundle: chart.bundle,
    patientId: String(chart.patient.id ?? ""),
    orders: chosenOrders(),
    prefetch: at("with-prefetch").checked,
    fhirServer: at("fhir-server").value.trim(),
  });
  const path = `cds-services/${encodeURIComponent(service.id)}`;
  at("send").disabled = true;
  at("status").textContent = t("Sending …");
  at("cards").replaceChildren();
  at("request").textContent = `POST ${path}\n\n${JSON.stringify(request, null, 2)}`;
  at("feedback").textContent = t("Nothing was sent yet.");
  const [answer] = await Promise.all([call(path, request, language), askDay()]);
  at("response").textContent = wire(answer);
  const { status, nodes } = await answerNodes(answer, (item) => tell(`${path}/feedback`, item));
  at("cards").replaceChildren(...nodes);
  at("status").textContent = status;
  at("send").disabled = false;
  at("answer-heading").focus();
}

/** Send one item of feedback; give "" or why it was not taken. */
async function tell(path, item) {
  const body = { feedback: [item] };
  const answer = await call(path, body);
  at("feedback").textContent = `POST ${path}\n\n${JSON.stringify(body, null, 2)}\n\n${wire(answer)}`;
  return failure(answer);
}

function wire(answer) {
  const body = answer.isJson ? JSON.stringify(answer.body, null, 2) : answer.body;
  return `${answer.status ? `HTTP ${answer.status}` : t("No answer")}\n\n${body}`;
}
