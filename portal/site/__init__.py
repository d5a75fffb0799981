"""The pages for visitors: what is in the catalogue, how to cite it and ask for it. They work without scripts."""
