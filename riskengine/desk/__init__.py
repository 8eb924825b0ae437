"""The desk: the traders' what-if page.  It asks a :class:`~riskengine.resident.session.Session` and shows
what comes back; it computes nothing itself.

    state      what a page asks, validated like a file; to and from a link
    knobs      the policy panel: a knob moved → 'shock.field=value'
    panels, charts, chain, compare      an answer as HTML and SVG, every text escaped
    exports    the same answer as CSV, JSON and one HTML file
    layout, grid, callbacks, app        the Dash page
    security   token, host check, headers
"""
