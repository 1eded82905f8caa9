/**
 * The open chart: the Patient of a Bundle, as a banner.
 * @module patient
 */
import { element } from "./element.js";
import { resourcesOf } from "./prefetch.js";
import { t } from "./words.js";

/**
 * @param {unknown} bundle
 * @returns {Object|null} its first Patient
 */
export const patientOf = (bundle) => resourcesOf(bundle).find((one) => one.resourceType === "Patient") ?? null;

/**
 * @param {Object|null} patient
 * @returns {HTMLElement[]} terms and descriptions
 */
export function banner(patient) {
  const rows = patient
    ? [[t("Name"), nameOf(patient)], [t("Born"), patient.birthDate], [t("Sex"), patient.gender], [t("Id"), patient.id]]
    : [[t("Chart"), t("none is open")]];
  return rows.map(([term, value]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, String(value ?? t("not stated")))),
  );
}

function nameOf(patient) {
  const name = Array.isArray(patient.name) ? patient.name[0] : undefined;
  const given = Array.isArray(name?.given) ? name.given : [];
  return name?.text ?? ([...given, name?.family].filter(Boolean).join(" ") || undefined);
}
