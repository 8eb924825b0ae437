"""Daily VaR and ES over decades: does the forecast of yesterday's close cover what happened, and whose is
best?

``books``     what is held: fixed books by asset class and in total, on the embedded and imported series
``models``    who forecasts: the engine's noise models and their rivals, one calendar year at a time
``rolling``   year after year without look-ahead, in parallel, kept on disk, continued after an interruption
``judgement`` tests, scores and comparisons of what was forecast
``nightly``   the short table of the nightly report
"""
