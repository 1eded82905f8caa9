"""Plays an EHR and its FHIR server against any CDS Hooks service, and says which requirements it keeps.

An independent reader of the specification: nothing of this package's own service is used here but its errors.
"""
