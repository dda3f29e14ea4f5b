"""What the commands share: how they end, common options, and where they write."""

import errno
import json
import math
import re
import warnings
from contextlib import contextmanager

import click

INTERRUPTED = 130  # 128 + SIGINT, as shells count
# In the words of torch, which has no type of error for it, and of Python's threads.
_OUT_OF_MEMORY = re.compile("(not enough|can't allocate|out of) memory|start new thread")
_DEBUG = "sklearn_dsh.debug"

quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress bar, no notes.")
trust_option = click.option(
    "--trust-pickle",
    is_flag=True,
    help="Take a MODEL that is a pickle, too: loading it runs whatever code was put into it. For "
    "files that you made yourself, or of people you trust.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def device_option(default):
    """Where networks compute; None where nothing is said."""
    return click.option(
        "--device",
        metavar="NAME",
        help="Where networks compute: auto (a GPU that is there, else the CPU), cpu, cuda, cuda:1 "
        f"or another of torch's.  [default: {default}]",
    )


class Command(click.Command):
    """A command that ends with a message, not a traceback, where data or model are wrong."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        debug = click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            help="Show the traceback of an error.",
            callback=lambda ctx, param, value: ctx.meta.__setitem__(_DEBUG, value),
        )
        self.params.append(debug)

    def invoke(self, ctx):
        try:
            with _told_warnings():
                return super().invoke(ctx)
        except KeyboardInterrupt as interruption:
            click.echo(str(interruption) or "Interrupted.", err=True)
            ctx.exit(INTERRUPTED)
        except (click.exceptions.Exit, click.Abort):  # which are RuntimeErrors
            raise
        except (ValueError, OSError, ImportError, RuntimeError, MemoryError) as error:
            # A reader of stdout that has gone, such as `head`, is no error: click knows.
            if ctx.meta.get(_DEBUG) or getattr(error, "errno", None) == errno.EPIPE:
                raise
            raise click.ClickException(_what_to_do(error)) from error


def _what_to_do(error):
    """The text of an error; of one that is not about what was given, a hint, too."""
    text = str(error).strip()
    is_runtime = isinstance(error, RuntimeError)  # torch's want of memory is one
    if isinstance(error, MemoryError) or (is_runtime and _OUT_OF_MEMORY.search(text)):
        return (
            f"The memory is used up{text and f' ({text})'}: take smaller images or batches, fewer "
            "n_jobs, or another --device."
        )
    if is_runtime:
        return f"{text or type(error).__name__} (--debug shows where this comes from.)"
    return text or type(error).__name__


@contextmanager
def _told_warnings():
    """Warnings of this library's kind as notes, each once: where in the code is of no use here."""
    told = set()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def tell(message, category, *place):
            if not issubclass(category, (UserWarning, RuntimeWarning)):
                show(message, category, *place)
            elif str(message) not in told:
                told.add(str(message))
                note(f"Warning: {message}")

        warnings.showwarning = tell
        yield


def loading(quiet=False):
    """Progress while packages are imported, and what is small is read."""
    from .._progress import Progress

    return Progress(desc="Loading", disable=quiet)


def note(text, *, quiet=False):
    """Tell something that is no result."""
    if not quiet:
        click.echo(text, err=True)


def print_json(value):
    """One JSON object on one line; nan, which JSON has not, as null."""
    finite = {
        key: None if isinstance(item, float) and not math.isfinite(item) else item
        for key, item in value.items()
    }
    click.echo(json.dumps(finite))


def count(n, noun):
    """A number and what is counted: 1 photo, 1,200 photos, 2 sketches."""
    plural = noun + ("es" if noun.endswith("ch") else "s")
    return f"{n:,} {noun if n == 1 else plural}"
