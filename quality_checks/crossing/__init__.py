"""Checks that look beyond one series' row: raw headers compared by keyed digests, and images compared over sources."""
