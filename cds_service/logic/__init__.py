"""Three-valued JSON-Logic on two horizons; knows no patient, no trial and no FHIR."""
