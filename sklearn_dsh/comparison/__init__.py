"""Comparing hashers: curves, and pictures of what was found."""

from ._displays import RetrievalCurveDisplay, plot_retrieved

__all__ = ["RetrievalCurveDisplay", "plot_retrieved"]
