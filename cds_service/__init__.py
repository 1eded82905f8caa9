"""A CDS Hooks service: judges a patient's chart against trial criteria and says what is missing."""

__version__ = "0.1.0"
