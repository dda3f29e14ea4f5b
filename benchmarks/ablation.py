"""What each part and option of Deep Sketch Hashing is worth, by the measure of hashing_quality.py.

    python benchmarks/ablation.py --data FOLDER --size 64 --bits 64 --seeds 3 --variant-seeds 3

The options and the resumable ``--output`` are those of ``hashing_quality.py``; with the same file,
results that both name are run once.
"""

from hashing_quality import LITERAL, deep, main


def make_methods(size):
    return {
        "DSH": deep(size),
        # Parts of the method.
        "DSH, no tokens": deep(size, sketch_tokens=None),
        "DSH, no weight sharing": deep(size, weight_sharing="none"),
        "DSH, no semantic term": deep(size, semantic_weight=0.0),
        "DSH, random initial codes": deep(size, init_codes="random", min_code_distance=None),
        "DSH, relaxed and thresholded codes": deep(size, code_updates="relaxed"),
        "DSH, fixed category codes": deep(size, code_updates="fixed"),
        "DSH, literal objective": deep(size, **LITERAL),
        "DSH, literal objective, cross-entropy": deep(size, **{**LITERAL, "loss": "cross_entropy"}),
        # Options of the training.
        "DSH, regression loss": deep(size, loss="regression"),
        "DSH, no augmentation": deep(size, augment=False),
        "DSH, no helper losses": deep(size, auxiliary_weight=0.0),
        "DSH, batch norm by view": deep(size, weight_sharing="convolutions"),
        "DSH, moving average": deep(size, ema_decay=0.999),
        "DSH, half the steps": deep(size, steps_per_iter=667),
    }


if __name__ == "__main__":
    main(make_methods, __doc__, "ablation.jsonl")
