"""Whole populations: folders of NDJSON or Bundles, and a FHIR server's patients, sorted by patient."""
