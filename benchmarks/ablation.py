"""What each part and option of Deep Sketch Hashing is worth, by the measure of hashing_quality.py.

    python benchmarks/ablation.py --data FOLDER --size 64 --bits 64 --steps 2000

The options and the resumable ``--output`` are those of ``hashing_quality.py``; with the same file,
results that both name are run once.
"""

from hashing_quality import LITERAL, deep_methods, main

VARIANTS = {
    "DSH": {},
    # Parts of the method.
    "DSH, no tokens": {"sketch_tokens": None},
    "DSH, no weight sharing": {"architecture__weight_sharing": "none"},
    "DSH, no semantic term": {"semantic_weight": 0.0},
    "DSH, random initial codes": {"init_codes": "random", "min_code_distance": None},
    "DSH, relaxed and thresholded codes": {"code_updates": "relaxed"},
    "DSH, fixed category codes": {"code_updates": "fixed"},
    "DSH, literal objective": LITERAL,
    "DSH, literal objective, cross-entropy": {**LITERAL, "loss": "cross_entropy"},
    # Options of the training.
    "DSH, regression loss": {"loss": "regression"},
    "DSH, no augmentation": {"augment": False},
    "DSH, no helper losses": {"auxiliary_weight": 0.0},
    "DSH, batch norm by view": {"architecture__weight_sharing": "convolutions"},
    "DSH, moving average": {"ema_decay": 0.999},
}


if __name__ == "__main__":
    main(
        lambda options: deep_methods(options.size, options.steps, VARIANTS),
        __doc__,
        "ablation.jsonl",
    )
