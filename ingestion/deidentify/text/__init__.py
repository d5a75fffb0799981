"""Text without identities: what is known of a study's people is searched for, then patterns, then unknown words."""

from ingestion.deidentify.text.cleaner import StudyCleaner
from ingestion.deidentify.text.dates import DatesInText
from ingestion.deidentify.text.known import IdentityCollector, KnownIdentities
from ingestion.deidentify.text.vocabulary import Vocabulary, load_vocabulary

__all__ = [
    "DatesInText",
    "IdentityCollector",
    "KnownIdentities",
    "StudyCleaner",
    "Vocabulary",
    "load_vocabulary",
]
