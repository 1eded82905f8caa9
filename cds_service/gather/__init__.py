"""Reading a chart: from a Bundle, from prefetch, from a FHIR server; each with how completely it was read."""
