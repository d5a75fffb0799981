"""The rules, as data: one module per table, no Great Expectations at import."""
