"""The public search: an API and pages over the newest release, every number by the sources' count policies."""
