"""What each choice of the networks is worth, on held-out parts of the training data.

    python benchmarks/pretrained_choices.py --data FOLDER
    python benchmarks/pretrained_choices.py --data FOLDER --choices "as it is" frozen --seeds 3

Of the sketches and photos that protocol *unseen* trains on a fifth is held out: these sketches
query these photos. The test part of the data has no say. Results are written to ``--output`` one by
one, and a finished one is not run again.
"""

import argparse
import json
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from dcmh_choices import held_out_part
from hashing_quality import learn_tokens

import sklearn_dsh
from sklearn_dsh import DeepSketchHasher, EdgeTokens, Pretrained, load_sketch_photo_folder
from sklearn_dsh.comparison import evaluate
from sklearn_dsh.comparison._report import format_table
from sklearn_dsh.comparison._results import Results

# Settings of the hasher, and what is put in place of constants, by module and name.
FROZEN = {"architecture__trained": "none", "architecture__n_versions": 2}
COMPACT = {"architecture": "compact", "steps_per_iter": 667}  # half as long as the default
CHOICES = {
    "as it is": ({}, {}),
    "frozen": (FROZEN, {}),
    "all trained": ({"architecture__trained": "all"}, {}),
    "float32": ({"precision": "float32"}, {}),
    "bfloat16": ({"precision": "bfloat16"}, {}),
    "frozen, float32": (FROZEN | {"precision": "float32"}, {}),
    "frozen, bfloat16": (FROZEN | {"precision": "bfloat16"}, {}),
    "edges as tokens": ({"sketch_tokens": EdgeTokens()}, {}),
    "frozen, edges as tokens": (FROZEN | {"sketch_tokens": EdgeTokens()}, {}),
    "learned tokens": ({"sketch_tokens": "learned"}, {}),
    "128 px": ({"architecture__size": 128}, {}),
    "192 px": ({"architecture__size": 192}, {}),
    "2 versions": ({"architecture__n_versions": 2}, {}),
    "8 versions": ({"architecture__n_versions": 8}, {}),
    "a tenth of the rate": ({"architecture__rate": 0.1}, {}),
    "half the rate": ({"architecture__rate": 0.5}, {}),
    "half the temperature": ({}, {"_networks.TEMPERATURE": 5.0}),
    "twice the temperature": ({}, {"_networks.TEMPERATURE": 20.0}),
    "smoothing 0.1": ({}, {"_losses.LABEL_SMOOTHING": 0.1}),
    "no squared error": ({}, {"_losses.REGRESSION_WEIGHT": 0.0}),
    "the paper's loss": ({"loss": "regression"}, {}),
    "compact": (COMPACT, {}),
    "compact, bfloat16": (COMPACT | {"precision": "bfloat16"}, {}),
    "compact, heads of 512": (COMPACT, {"architectures.Architecture.hidden": (512, 256)}),
}


def put_instead(constants):
    """Other constants of modules of ``sklearn_dsh.deep``, inside the context."""
    if not constants:
        return nullcontext()
    ((name, value),) = constants.items()
    return mock.patch(f"sklearn_dsh.deep.{name}", value)


def run(problem, settings, constants, options, seed):
    settings = dict(settings)
    if settings.get("sketch_tokens") == "learned":
        settings["sketch_tokens"] = learn_tokens(options.contours)
    hasher = DeepSketchHasher(options.bits, architecture=Pretrained(), random_state=seed)
    with put_instead(constants):
        result = evaluate(hasher.set_params(**settings), problem, k=50)
    return {
        "map": result.mean_average_precision,
        "precision": result.precision,
        "fit_seconds": result.fit_seconds,
        "encode_microseconds": result.encode_microseconds,
        "sizes": problem.sizes(),
    }


def table(rows):
    cells = [["choice", "mAP (mean, sd)", "fit s", "seeds"]]
    for choice in dict.fromkeys(row["choice"] for row in rows):
        of_choice = [row for row in rows if row["choice"] == choice]
        scores = np.array([row["map"] for row in of_choice])
        deviation = f", {scores.std(ddof=1):.3f}" if len(scores) > 1 else ""
        seconds = np.median([row["fit_seconds"] for row in of_choice])
        cells.append(
            [choice, f"{scores.mean():.3f}{deviation}", f"{seconds:.0f}", str(len(scores))]
        )
    return format_table(cells)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--contours", help="folder of contours, for learned tokens")
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--choices", nargs="+", choices=CHOICES)
    parser.add_argument("--output", type=Path, default=Path("pretrained_choices.jsonl"))
    options = parser.parse_args()
    names = options.choices or [
        name for name in CHOICES if options.contours or name != "learned tokens"
    ]
    if "learned tokens" in names and not options.contours:
        parser.error("learned tokens need --contours")
    data = load_sketch_photo_folder(options.data, size=None)
    problem = held_out_part(data)
    results, rows = Results(options.output), []
    common = {
        "data": Path(options.data).resolve().name,
        "bits": options.bits,
        "version": sklearn_dsh.__version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    for name in names:
        for seed in range(options.seeds):
            key = common | {"choice": name, "seed": seed}
            if not results.find(key):
                results.add(key | run(problem, *CHOICES[name], options, seed))
                print(json.dumps(results.rows[-1]), flush=True)
            rows += results.find(key)
    print(f"{problem.description}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
