"""The catalogue in other people's formats, each made from a release's own tables."""
