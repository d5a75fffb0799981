"""Answering the European federation's search: its queries in its codes, its answers in its shape."""
