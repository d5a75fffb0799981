"""How easily a person could be picked out by what is left of them: k-anonymity and l-diversity, computed."""
