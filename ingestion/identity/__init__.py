"""Keys and what is derived from them: pseudonyms, UIDs, date shifts and hashes of names. Knows no files."""
