"""Search over the series of a release: fields, queries, an index on disk, counts of people, studies and series."""
