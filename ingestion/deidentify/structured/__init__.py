"""Objects without pixels whose content says things in words: structured reports, presentation states, plans."""

from ingestion.deidentify.structured.content import ContentRules, identities_in_content
from ingestion.deidentify.structured.kinds import Structure, structure_of
from ingestion.deidentify.structured.worker import clean_structure

__all__ = ["ContentRules", "Structure", "clean_structure", "identities_in_content", "structure_of"]
