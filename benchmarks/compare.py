"""Every method on the same data, protocol and metric: ``sklearn-dsh compare``, as a script.

    python benchmarks/compare.py --data FOLDER --bits 32 64 128
    python benchmarks/compare.py --data FOLDER --quick          # a part of it, within an hour

The options are those of the command, with ``--data`` for its argument and lists of values.
"""

import sys

from sklearn_dsh.cli import main

LISTS = ("--methods", "--bits", "--protocol")


def to_command(arguments):
    """``--data FOLDER --bits 32 64`` as the command takes it: ``FOLDER --bits 32 --bits 64``."""
    taken, option = [], None
    for argument in arguments:
        if argument.startswith("-"):
            option, _, value = argument.partition("=")
            if option in (*LISTS, "--data"):
                if not value:
                    continue
                argument = value
            else:
                option = None
        taken += [option, argument] if option in LISTS else [argument]
    return taken


if __name__ == "__main__":
    main(["compare", *to_command(sys.argv[1:])])
