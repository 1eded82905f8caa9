/**
 * Writes the request of a hook.
 * Source: CDS Hooks 2.0.1, Calling a CDS Service, and the context of each hook in the CDS Hooks Library.
 * @module request
 */
import { fillPrefetch } from "./prefetch.js";

const USER = "Practitioner/simulator";

/**
 * @param {Object} chosen
 * @param {{id: string, hook: string, prefetch?: Object<string, string>}} chosen.service from discovery
 * @param {Object} chosen.bundle the chart
 * @param {string} chosen.patientId
 * @param {Object[]} chosen.orders drafts, without subject; only order hooks use them
 * @param {boolean} chosen.prefetch whether data is sent along
 * @param {string} chosen.fhirServer "" for none
 * @returns {Object} the request's body
 */
export function hookRequest({ service, bundle, patientId, orders, prefetch, fhirServer }) {
  return {
    hook: service.hook,
    hookInstance: crypto.randomUUID(),
    context: { userId: USER, patientId, ...CONTEXTS[service.hook]?.(patientId, orders) },
    ...(fhirServer ? { fhirServer } : {}),
    ...(prefetch ? { prefetch: fillPrefetch(service.prefetch, bundle, patientId) } : {}),
  };
}

/**
 * @param {string} hook
 * @returns {boolean} whether the hook is about orders
 */
export const isAboutOrders = (hook) => hook === "order-select" || hook === "order-sign";

const CONTEXTS = {
  "encounter-start": () => ({ encounterId: "simulated-encounter" }),
  "appointment-book": (patientId) => ({ appointments: collection([appointment(patientId)]) }),
  "order-sign": (patientId, orders) => ({ draftOrders: collection(drafts(patientId, orders)) }),
  "order-select": (patientId, orders) => ({
    selections: orders.map((order) => `${order.resourceType}/${order.id}`),
    draftOrders: collection(drafts(patientId, orders)),
  }),
};

const collection = (resources) => ({
  resourceType: "Bundle",
  type: "collection",
  ...(resources.length ? { entry: resources.map((resource) => ({ resource })) } : {}),
});

const drafts = (patientId, orders) =>
  orders.map((order) => ({ ...order, subject: { reference: `Patient/${patientId}` } }));

const appointment = (patientId) => ({
  resourceType: "Appointment",
  id: "simulated-appointment",
  status: "proposed",
  participant: [{ actor: { reference: `Patient/${patientId}` }, status: "needs-action" }],
});
