"""What people and programs get out of a finished prescreening run: lists, tables, FHIR, a page, an explanation."""
