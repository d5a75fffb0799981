"""What tests look for in a page."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would see: elements, links, the cells that hold numbers, blocks of data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.numbers: list[str] = []
        self.data: list[str] = []
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements.append((tag, given))
        counts = (tag == "td" and given.get("class") == "n") or tag == "dd"
        kind = "number" if counts else "data" if tag == "script" and "src" not in given else ""
        if kind:
            self._in.append(kind)
            (self.numbers if kind == "number" else self.data).append("")

    def handle_endtag(self, tag: str) -> None:
        if self._in and tag in ("td", "dd", "script"):
            self._in.pop()

    def handle_data(self, data: str) -> None:
        if self._in:
            into = self.numbers if self._in[-1] == "number" else self.data
            into[-1] += data

    def links(self) -> list[str]:
        return [str(given["href"]) for tag, given in self.elements if tag == "a" and given.get("href")]
