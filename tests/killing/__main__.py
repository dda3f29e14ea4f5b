"""Calls that write, killed at random moments: what is left, and what the same call makes of it."""

import argparse
import sys
import time

from .operations import OPERATIONS
from .run import kill


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operations", nargs="*", help=f"Some of: {', '.join(OPERATIONS)}.")
    parser.add_argument("--moments", type=int, default=20, help="Of each call.")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    unknown = sorted({*args.operations} - OPERATIONS.keys())
    if unknown:
        parser.error(f"no operations {unknown}: expected some of {list(OPERATIONS)}")
    n_faults = 0
    for name in args.operations or OPERATIONS:
        start = time.perf_counter()
        faults, n_killed = kill(OPERATIONS[name], args.moments, args.seed)
        seconds = time.perf_counter() - start
        text = f"{name}: killed {n_killed} times in {seconds:.0f} s; {len(faults)} faults"
        print(text, flush=True)
        for text in faults:
            print(f"    {text}", flush=True)
        n_faults += len(faults)
    sys.exit(n_faults > 0)


if __name__ == "__main__":
    main()
