"""riskengine: portfolio and market-impact risk that starts with the flow."""

__version__ = "0.1.0"
