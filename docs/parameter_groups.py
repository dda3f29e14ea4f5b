"""Parameters of the hashers that have many, by theme: how their pages show them."""

import re

FIRST = "What most people set first"
TRAINING = {
    "How long, in what steps": ("max_iter", "steps_per_iter", "batch_size", "learning_rate"),
    "Machine, files and interruptions": ("checkpoint_dir", "n_jobs", "device"),
}
GROUPS = {
    "DeepSketchHasher": {
        FIRST: ("n_bits", "architecture", "random_state", "verbose"),
        "What the codes are": (
            "readout", "loss", "code_updates", "init_codes", "min_code_distance", "similarity",
            "semantic_weight", "quantization_weight", "class_vectors",
        ),
        "What the networks learn from": (
            "sketch_tokens", "augment", "class_balanced", "auxiliary_weight",
        ),
        "How long, in what steps": (
            "max_iter", "steps_per_iter", "batch_size", "learning_rate", "schedule",
            "weight_decay", "max_grad_norm", "ema_decay", "precision", "compile",
        ),
        "When to stop, how to go on": (
            "validation_fraction", "n_iter_no_change", "warm_start", "checkpoint_dir",
        ),
        "Machine and files": ("device", "n_jobs", "cache_size", "cache_dir"),
    },
    "DCMHHasher": {
        FIRST: ("n_bits", "architecture", "random_state", "verbose"),
        "What the codes are": ("gamma", "eta"),
        "What the networks learn from": ("sketch_tokens", "n_pairs", "augment"),
        **TRAINING,
    },
    "DeepMetricHasher": {
        FIRST: ("n_bits", "architecture", "random_state", "verbose"),
        "What is learned": ("loss", "margin"),
        "What the networks learn from": ("sketch_tokens", "augment"),
        **TRAINING,
    },
}  # fmt: skip
_PARAMETER = re.compile(r" {4}\*\*(\w+)\*\*")


def group_parameters(app, what, name, obj, options, lines):
    """Put the field "Parameters" that numpydoc wrote into one field a group."""
    groups = GROUPS.get(name.rpartition(".")[2]) if what == "class" else None
    if groups is None:
        return
    start = lines.index(":Parameters:")
    end = next(
        (i for i in range(start + 1, len(lines)) if lines[i] and not lines[i].startswith(" ")),
        len(lines),
    )
    texts, current = {}, None
    for line in lines[start + 1 : end]:
        found = _PARAMETER.match(line)
        current = found[1] if found else current
        texts.setdefault(current, []).append(line)
    grouped = []
    for title, names in groups.items():
        grouped += [f":{title}:", ""]
        for parameter in names:
            grouped += texts[parameter]
    lines[start:end] = grouped
