"""``python -m portal --port N --operator-port M``: serve visitors and operators, each on an address of its own.

One process, two servers: what both import and hold is there once. With ``--index FOLDER`` only the search is served,
over that index, without a store and without operators' pages; port 0 takes a free one. An address is printed once its
port is taken, the visitors' first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

parser = argparse.ArgumentParser(prog="portal")
parser.add_argument("--host", default="127.0.0.1", help="of the visitors' address")
parser.add_argument("--port", type=int, default=8010)
parser.add_argument("--operator-host", default="127.0.0.1", help="their pages have no login and exact numbers")
parser.add_argument("--operator-port", type=int, default=8011)
parser.add_argument("--index", type=Path, help="serve the search over this index and nothing else")


def main() -> None:
    """Serve until told to stop."""
    from ingestion.catalogue.search.index import IndexUnusableError
    from ingestion.settings import Settings  # the imports take a second, which --help need not wait for
    from ingestion.sources.registry import load_registry
    from ingestion.storage.open import open_stores
    from portal import app
    from portal.operators import operators_of
    from portal.serving import Served, serve_all

    arguments = parser.parse_args()
    settings = Settings()
    if arguments.index:
        try:
            only = app.search_only(arguments.index)
        except IndexUnusableError as error:
            parser.error(f"--index: {error}; docs/portal.md says how to make one")
        serve_all([Served(only, arguments.host, arguments.port, settings.trusted_proxies)])
        return
    stores, entries = open_stores(settings), load_registry(settings.registry).sources
    pages = app.visitors_of(settings, stores, entries)
    visitors = Served(pages, arguments.host, arguments.port, settings.trusted_proxies)
    operators = Served(operators_of(settings, stores, entries), arguments.operator_host, arguments.operator_port)
    serve_all([visitors, operators])


if __name__ == "__main__":
    main()
