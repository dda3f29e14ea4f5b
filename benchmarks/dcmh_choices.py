"""What DCMH's start and balance are worth where networks start from random weights.

    python benchmarks/dcmh_choices.py --data FOLDER
    python benchmarks/dcmh_choices.py --data FOLDER --choices "as it is" "T = 10" --steps 4000

Of the sketches and photos that protocol *unseen* trains on a fifth is held out: these sketches
query these photos. The test part of the data has no say.
"""

import argparse
from contextlib import nullcontext
from unittest import mock

import numpy as np
import torch
from sklearn.utils import Bunch

import sklearn_dsh
from sklearn_dsh import Compact, DCMHHasher, load_sketch_photo_folder
from sklearn_dsh.comparison import evaluate, make_problem
from sklearn_dsh.deep import _dcmh


class VectorAnItem(_dcmh.PairLikelihood):
    """The paper's start: every item has a random vector of its own."""

    def __init__(self, labels, n_bits, gamma, eta, random_state):
        super().__init__(labels, n_bits, gamma, eta, random_state)
        scale = np.sqrt(2 * _dcmh.START / n_bits)
        self.outputs = {
            view: scale.astype(np.float32) * random_state.randn(*start.shape).astype(np.float32)
            for view, start in self.outputs.items()
        }


# Settings of the hasher, and what is put in place of names of its module.
CHOICES = {
    "as it is": ({}, {}),
    "eta = 1, the paper's": ({"eta": 1.0}, {}),
    "eta = 0.01": ({"eta": 0.01}, {}),
    "T = 1": ({}, {"START": 1.0}),
    "T = 10": ({}, {"START": 10.0}),
    "12 rounds": ({"max_iter": 12}, {}),
    "a vector an item": ({}, {"PairLikelihood": VectorAnItem}),
}


def held_out_part(data):
    """A problem of protocol "unseen" within the rows that it trains on."""
    train = make_problem(data, "unseen")
    rows = train.train
    parts = {
        "sketches": rows.take_view("sketch")[:],
        "images": rows.take_view("image")[:],
        "y_sketch": train.y_train[rows.is_sketch],
        "y_image": train.y_train[~rows.is_sketch],
    }
    return make_problem(Bunch(**parts), "unseen", random_state=1)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1200, help="of a fit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--choices", nargs="+", default=list(CHOICES), choices=CHOICES)
    options = parser.parse_args()
    problem = held_out_part(load_sketch_photo_folder(options.data, size=options.size))
    print(
        f"sklearn-dsh {sklearn_dsh.__version__}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; {options.bits} bits, {options.steps} steps, seed "
        f"{options.seed}\n{problem.description}",
        flush=True,
    )
    for name in options.choices:
        settings, instead = CHOICES[name]
        hasher = DCMHHasher(
            options.bits,
            architecture=Compact(options.size),
            steps_per_iter=-(-options.steps // settings.get("max_iter", DCMHHasher().max_iter)),
            random_state=options.seed,
            **settings,
        )
        with mock.patch.multiple(_dcmh, **instead) if instead else nullcontext():
            result = evaluate(hasher, problem, k=50)
        print(
            f"{name}: mAP {result.mean_average_precision:.3f}, precision at 50 "
            f"{result.precision:.3f}, {result.fit_seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
