"""Comparing methods: protocols, a resumable run of all of them, tables, curves and pictures."""

from ._compare import Plan, compare
from ._displays import RetrievalCurveDisplay, plot_retrieved
from ._evaluate import Result, evaluate, evaluate_features, evaluate_projections
from ._methods import Method, default_methods
from ._problem import Problem, make_problem
from ._report import markdown_report, plot_cell, plot_comparison
from ._zero_shot import ZeroShotProblem, make_zero_shot_problem

__all__ = [
    "Method",
    "Plan",
    "Problem",
    "Result",
    "RetrievalCurveDisplay",
    "ZeroShotProblem",
    "compare",
    "default_methods",
    "evaluate",
    "evaluate_features",
    "evaluate_projections",
    "make_problem",
    "make_zero_shot_problem",
    "markdown_report",
    "plot_cell",
    "plot_comparison",
    "plot_retrieved",
]
