"""The frame every page shares: head, styles, contents, footer, scripts (``templates/page.html``).

A page's template extends ``page.html`` and fills its blocks *title*, *main* and *footer*; *subject* (under
the brand, otherwise the title) and *style* (rules of that page alone) when it needs them.  Its context holds
``contents``, (anchor, heading) in the order of the page; the skip link leads to the first.  Styles, scripts
and drawings are inside the file, nothing is fetched; Jinja escapes every value and refuses an undefined one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from riskengine.reports import formats

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **context: Any) -> str:
    """The page of *template* (a file in ``templates/`` that extends ``page.html``) from *context*."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    """One per process: compiled templates are kept."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(money=formats.money, horizon=formats.horizon)
    return environment
