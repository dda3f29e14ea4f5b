"""A page to draw on: draw, and see the nearest photos of a gallery while you draw."""

from ._app import create_app
from ._run import run

__all__ = ["create_app", "run"]
