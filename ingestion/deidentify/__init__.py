"""De-identification: a policy says what happens to each attribute; the code of this package does it, and checks it."""

CODE_VERSION = "5"
"""Part of every result: a change of behaviour in this package raises it, and what was stored is made again."""
