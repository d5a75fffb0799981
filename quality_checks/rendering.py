"""The templates of all pages: self-contained HTML, no script, no address outside the page; same input, same bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from quality_checks.wording import percent, unit


@cache
def environment() -> jinja2.Environment:
    """Everything is escaped, and an unknown name is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("quality_checks", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(percent=percent, count=lambda number: f"{number:,}", unit=unit)
    return made


def render(template: str, **values: Any) -> str:
    """One page."""
    return environment().get_template(template).render(**values)
