"""The command line, ``sklearn-dsh``.

Its modules import what is heavy (torch, numba, scikit-learn) inside functions, so that ``--help``
answers at once.
"""


def main(args=None):
    """Run the command line.

    Parameters
    ----------
    args : list of str, default=None
        Arguments; None takes those of the process.

    Raises
    ------
    SystemExit
        Always. 0: done; 1: data, model or gallery are wrong; 2: the command was; 130: interrupted.
    """
    from ._main import commands

    commands(args, prog_name="sklearn-dsh")
