"""What must be remembered between calls: used tokens, cards and what became of them, the worklist and its audit."""

from cds_service.store.counts import Count
from cds_service.store.feedback import Answer, CardFeedback, Kind, Override, SentCard
from cds_service.store.keys import key_of, patient_key
from cds_service.store.store import Store, open_store, read_store

__all__ = [
    "Answer",
    "CardFeedback",
    "Count",
    "Kind",
    "Override",
    "SentCard",
    "Store",
    "key_of",
    "open_store",
    "patient_key",
    "read_store",
]
