"""The rules for data providers, data users and operators, as they stand in ``docs/rules``."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from portal.site.rendering import Pages

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "rules"
"""Of the checkout; an installed package without it says so."""
NAMES = ("data-users", "data-providers", "operating-procedures")


class Rules:
    """The pages under ``/rules``."""

    def __init__(self, pages: Pages, folder: Path = FOLDER) -> None:
        self._pages, self._folder = pages, folder

    def listing(self, request: Request) -> Response:
        there = [name for name in NAMES if (self._folder / f"{name}.md").is_file()]
        return self._pages.respond(request, "rules.html.j2", names=there, title=None, body=None)

    def page(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in NAMES or not (self._folder / f"{name}.md").is_file():
            raise HTTPException(404, "there are no such rules")
        text = (self._folder / f"{name}.md").read_text("utf-8")
        return self._pages.respond(request, "rules.html.j2", names=NAMES, title=name, body=as_html(text))


def as_html(text: str) -> Markup:
    """Markdown as HTML: HTML in it is shown as text, and links to the other rules lead to their pages."""
    made = MarkdownIt("js-default").render(text)
    made = re.sub(r'href="([a-z-]+)\.md(#[^"]*)?"', r'href="/rules/\1\2"', made)
    # tables may be wider than a narrow screen, and are scrolled by keyboard too
    made = made.replace("<table>", '<div class="wide" tabindex="0" role="region" aria-label="Rules"><table>')
    made = made.replace("</table>", "</table></div>")
    return Markup(made)
