"""Show the page on synthetic drawings: ``python -m sklearn_dsh.serve``."""

from ._run import run

if __name__ == "__main__":
    run()
