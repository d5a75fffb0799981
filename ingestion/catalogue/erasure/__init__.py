"""The erasure of a withdrawn source: what is kept of it, and taking all of it away (decision 0009)."""
