"""The desk: the traders' what-if page.  It asks a :class:`~riskengine.resident.session.Session` and shows
what comes back; it computes nothing itself.

    state      what a page asks, validated like a file; to and from a link
    knobs      the policy panel: a knob moved → 'shock.field=value'
    panels, charts, views, suggestions   an answer as HTML and SVG, every text escaped
    answers    questions and their answers, straight from the page's own server
    loading    a policy that reverse stress found, as knobs and sellers of the page
    exports    the same answer as CSV, JSON and one HTML file
    layout, grid, callbacks, app         the Dash page
    security   token, host check, headers
"""
