"""HTML: elements whose text is escaped, and the frame around a view."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


_STYLE: Final = files("cloudq_emulator.page").joinpath("page.css").read_text()
_SCRIPT: Final = files("cloudq_emulator.page").joinpath("page.js").read_text()


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """One element.

    Args:
        tag: Its name.
        *children: What is in it: `Markup` as it is, anything else as text.
        **attributes: Its attributes; ``class_`` for ``class``, ``data_live`` for ``data-live``. True has no
            value, False and None leave it out.
    """
    content = "".join(map(_markup, children))
    return Markup(f"<{tag}{_attributes(attributes)}>{content}</{tag}>")


def field(**attributes: object) -> Markup:
    """An input element, which has no end."""
    return Markup(f"<input{_attributes(attributes)}>")


def table(head: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> Markup:
    """A table, or a line that says that it would be empty."""
    body = [element("tr", *(element("td", cell, class_=_kind(cell)) for cell in row)) for row in rows]
    if not body:
        return element("p", empty, class_="empty")
    return element(
        "table",
        element("thead", element("tr", *(element("th", name, scope="col") for name in head))),
        element("tbody", *body),
    )


def live(id: str, title: str, *content: object) -> Markup:
    """A section that the script keeps up to date."""
    return element("section", element("h2", title), *content, id=id, data_live=True)


def form(action: str, *content: object, **hidden: object) -> Markup:
    """A form that posts to one of the page's own paths."""
    fields = (field(type="hidden", name=name, value=value) for name, value in hidden.items())
    return element("form", *fields, *content, method="post", action=f"/_cloudq/page/{action}")


def button(text: str, **attributes: object) -> Markup:
    """A form's button."""
    return element("button", text, **attributes)


def frame(title: str, error: str, *content: object) -> bytes:
    """The whole page."""
    head = element(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width">'),
        Markup('<link rel="icon" href="data:,">'),
        element("title", f"{title} - cloudq emulator"),
        element("style", Markup(_STYLE)),
    )
    header = element("header", element("a", "cloudq emulator", href="/_cloudq/"), element("h1", title))
    alert = element("p", error, role="alert") if error else Markup()
    body = element("body", header, alert, element("main", *content), element("script", Markup(_SCRIPT)))
    return f"<!doctype html>{element('html', head, body, lang='en')}".encode()


def _markup(child: object) -> str:
    return child if isinstance(child, Markup) else escape(str(child))


def _attributes(attributes: dict[str, object]) -> str:
    written = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        key = name.rstrip("_").replace("_", "-")
        written.append(f" {key}" if value is True else f' {key}="{escape(str(value))}"')
    return "".join(written)


def _kind(cell: object) -> str | None:
    return "number" if isinstance(cell, int) else None
