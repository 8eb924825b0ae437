"""The drawing board: a sheet that collects SVG elements, scales with round ticks, and the figure around
it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from riskengine.reports.formats import number

CHARACTER = 6.3
"""Width reserved for a character at the 11.5 px label size (system sans serif), px."""

TIGHT = 5.5
"""Width of a character of running text, by which long labels are cut."""


@dataclass(slots=True)
class Sheet:
    """An SVG of fixed drawing size; it scales with the page. title, description: what a screen reader
    says."""

    width: float
    height: float
    title: str
    description: str = ""
    parts: list[Markup] = field(default_factory=list)

    def rect(
        self, x: float, y: float, width: float, height: float, css: str, tip: str = "", radius: float = 0
    ) -> None:
        """Rectangle; negative widths and heights are turned round; *tip* is shown on hover."""
        x, width = (x + width, -width) if width < 0 else (x, width)
        y, height = (y + height, -height) if height < 0 else (y, height)
        rounded = {"rx": radius} if radius else {}
        self._add("rect", {"x": x, "y": y, "width": width, "height": height, "class": css, **rounded}, tip)

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Straight line."""
        self._add("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": css})

    def path(
        self, points: Iterable[tuple[float, float]], css: str, tip: str = "", closed: bool = False
    ) -> None:
        """Polyline; a NaN point breaks it."""
        commands, pen_down = [], False
        for x, y in points:
            if not (math.isfinite(x) and math.isfinite(y)):
                pen_down = False
                continue
            commands.append(f"{'L' if pen_down else 'M'}{_f(x)} {_f(y)}")
            pen_down = True
        if commands:
            self._add("path", {"d": "".join(commands) + ("Z" if closed else ""), "class": css}, tip)

    def text(self, x: float, y: float, words: object, css: str = "", anchor: str = "start") -> None:
        """One line of text, escaped; anchor 'start', 'middle' or 'end'."""
        extra = ({"text-anchor": anchor} if anchor != "start" else {}) | ({"class": css} if css else {})
        self._add("text", {"x": x, "y": y, **extra}, content=escape(words))

    def _add(
        self, tag: str, attributes: dict[str, float | str], tip: str = "", content: Markup | None = None
    ) -> None:
        drawn = "".join(
            f' {k}="{escape(v) if isinstance(v, str) else _f(v)}"' for k, v in attributes.items()
        )
        if tip:
            content = Markup(f"<title>{escape(tip)}</title>")
        closing = "/>" if content is None else f">{escape(content)}</{tag}>"
        self.parts.append(Markup(f"<{tag}{drawn}{closing}"))  # tags and attributes' names are this module's

    def render(self) -> Markup:
        """The SVG element."""
        label = f"{self.title}. {self.description}" if self.description else self.title
        return (
            Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}" style="--w:{}">').format(
                _f(self.width), _f(self.height), label, _f(self.width)
            )
            + Markup("<title>{}</title>").format(self.title)
            + Markup("").join(self.parts)
            + Markup("</svg>")
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """Linear map from data to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def fit_scale(values: Iterable[float], start: float, end: float, zero: bool = True, target: int = 5) -> tuple[
    Scale, list[float]
]:
    """A scale that holds all finite *values* (and zero) between round ticks, and those ticks."""
    finite = [float(v) for v in values if v is not None and math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-12 * max(1.0, abs(high), abs(low)):
        pad = abs(high) * 0.1 or 1.0
        low, high = low - (0 if zero and low >= 0 else pad), high + pad
    step = tick_step((high - low) / max(target, 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [i * step for i in range(first, last + 1)]
    return Scale(ticks[0], ticks[-1], start, end), ticks


def tick_step(rough: float) -> float:
    """The next of 1, 2, 2.5, 5 × 10ⁿ at or above *rough*."""
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 2.5, 5, 10):
        if factor * power >= rough * (1 - 1e-9):
            return factor * power
    return 10 * power


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """A tick's text with just the decimals its neighbours need."""
    step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else abs(value) or 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step * 10**decimals, 6) != round(step * 10**decimals):
        decimals += 1
    return number(value, decimals)


def short(text: object, most: int) -> str:
    """*text* cut to *most* characters with an ellipsis."""
    words = str(text)
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def figure(title: str, unit: str, drawing: Markup, note: str = "", css: str = "") -> Markup:
    """A chart with its heading, unit and note; kept on one page in print."""
    unit_part = Markup(' <span class="unit">{}</span>').format(unit) if unit else Markup("")
    note_part = Markup('<p class="note">{}</p>').format(note) if note else Markup("")
    return Markup('<figure class="chart {}"><figcaption>{}{}</figcaption>{}{}</figure>').format(
        css, title, unit_part, drawing, note_part
    )


def legend(sheet: Sheet, entries: Sequence[tuple[str, str]], x: float, y: float) -> None:
    """A row of colour keys: (class, words)."""
    for css, words in entries:
        sheet.rect(x, y - 8, 10, 10, css)
        sheet.text(x + 14, y + 1, words, "key")
        x += 14 + CHARACTER * len(words) + 14


def _f(value: float) -> str:
    """A coordinate with at most one decimal: small files."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text
