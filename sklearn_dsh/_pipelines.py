"""Hashers at the end of a Pipeline."""


def last_step(hasher):
    """The hasher itself, of a Pipeline too."""
    from sklearn.pipeline import Pipeline  # the command line starts without scikit-learn

    return hasher[-1] if isinstance(hasher, Pipeline) else hasher
