/**
 * Fills a service's prefetch templates from one patient's Bundle, as an EHR does from its own records.
 * @module prefetch
 */

/**
 * @param {Object<string, string>} templates of discovery
 * @param {Object} bundle one patient's records
 * @param {string} patientId
 * @returns {Object<string, unknown>} a resource or null for a read, a searchset for a search
 */
export function fillPrefetch(templates, bundle, patientId) {
  const resources = resourcesOf(bundle);
  const filled = {};
  for (const [key, template] of Object.entries(templates ?? {})) {
    const query = template.replaceAll("{{context.patientId}}", encodeURIComponent(patientId));
    // A template with a token that cannot be filled is dropped; the service then asks for what is missing.
    if (query.includes("{{")) continue;
    const [path, search] = query.split("?");
    const [type, id] = path.split("/");
    const ofType = resources.filter((resource) => resource.resourceType === type);
    if (search === undefined) {
      filled[key] = ofType.find((resource) => resource.id === decodeURIComponent(id ?? "")) ?? null;
    } else {
      filled[key] = searchset(ofType.filter((resource) => matches(resource, new URLSearchParams(search), patientId)));
    }
  }
  return filled;
}

/**
 * @param {unknown} bundle
 * @returns {Object[]} its resources
 */
export function resourcesOf(bundle) {
  const entries = Array.isArray(bundle?.entry) ? bundle.entry : [];
  return entries.map((entry) => entry?.resource).filter((resource) => typeof resource?.resourceType === "string");
}

/** Only what our templates ask is understood: the patient, and `code` as a list of system|code. */
function matches(resource, search, patientId) {
  const subject = (resource.subject ?? resource.patient)?.reference;
  if (search.has("patient") && subject !== `Patient/${patientId}`) return false;
  const codes = search.get("code")?.split(",");
  if (codes === undefined) return true;
  const coding = Array.isArray(resource.code?.coding) ? resource.code.coding : [];
  return coding.some((one) => codes.includes(`${one?.system}|${one?.code}`));
}

function searchset(resources) {
  const entry = resources.map((resource) => ({ resource, search: { mode: "match" } }));
  return { resourceType: "Bundle", type: "searchset", total: entry.length, ...(entry.length ? { entry } : {}) };
}
