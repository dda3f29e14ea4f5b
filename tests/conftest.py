"""Settings of the test run."""

import os

# scikit-learn skips its array API checks without it; scipy reads it once, when it is imported.
os.environ["SCIPY_ARRAY_API"] = "1"

from hypothesis import settings

# How long an example takes says nothing on a busy machine.
settings.register_profile("sklearn_dsh", deadline=None)
settings.load_profile("sklearn_dsh")
