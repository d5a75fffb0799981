"""The embedded stack: a real PostgreSQL, an S3-compatible store, report pages and Dagster, all on the loopback."""
