"""``make fuzz``: what every reader makes of damaged files, and what it takes."""

import argparse
import sys

from .readers import READERS
from .run import fuzz


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", help=f"Some of: {', '.join(READERS)}.")
    parser.add_argument("--inputs", type=int, default=10_000, help="Of each reader.")
    parser.add_argument("--first", type=int, default=0, help="Number of the first input.")
    args = parser.parse_args()
    unknown = sorted({*args.readers} - READERS.keys())
    if unknown:
        parser.error(f"no readers {unknown}: expected some of {list(READERS)}")
    n_faults = 0
    for name in args.readers or READERS:
        report = fuzz(READERS[name], range(args.first, args.first + args.inputs))
        print(f"{name}: {report}", flush=True)
        for number, text in report.faults:
            print(f"    input {number}: {text}", flush=True)
        n_faults += len(report.faults)
    sys.exit(n_faults > 0)


if __name__ == "__main__":
    main()
