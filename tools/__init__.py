"""Programs for developers of this project: they write data files that the product reads."""
