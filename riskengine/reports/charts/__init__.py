"""Charts of the report: our own SVG, drawn on the server, crisp on paper, readable without scripts.

Every chart carries a title and a description for screen readers, units on its axis and labels at the data.
Colours are CSS classes (``c1`` … ``c8``, ``gain``, ``loss``) so that one drawing serves the light, the dark
and the printed page; the palette is that of Okabe and Ito (2008), safe for colour-blind readers.
"""

from riskengine.reports.charts.bars import (
    Bar, bar_chart, columns, grouped_columns, split_bar, stacked_bars, waterfall,
)
from riskengine.reports.charts.flow import chain_diagram
from riskengine.reports.charts.lines import Line, distribution, line_chart
from riskengine.reports.charts.svg import figure

__all__ = [
    "Bar", "Line", "bar_chart", "chain_diagram", "columns", "distribution", "figure", "grouped_columns",
    "line_chart", "split_bar", "stacked_bars", "waterfall",
]
