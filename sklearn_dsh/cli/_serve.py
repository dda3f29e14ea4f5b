"""``sklearn-dsh serve``: a page to draw on."""

import click

from ._command import Command, device_option, loading, note, quiet_option, trust_option


@click.command(cls=Command, short_help="Serve a page to draw on.")
@click.argument("model", type=click.Path(), required=False)
@click.argument("gallery", type=click.Path(), required=False)
@click.option(
    "--calibrate",
    type=click.Path(),
    metavar="FOLDER",
    help="Sketches that the model was not trained on, FOLDER/<category>/<sketch>: from them the "
    "page learns when to say that it is not sure.",
)
@click.option(
    "--samples",
    type=click.Path(),
    metavar="FOLDER",
    help="Sketches to start from; a dozen are shown.  [default: of those to calibrate on]",
)
@click.option("--title", help="What the page is called.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen at; 0 takes a free one.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A further name by which the server may be called, photos.example.org say; can be given "
    "several times. Pages of other sites cannot ask a server that does not answer to their names.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=4_000_000,
    show_default=True,
    help="The largest upload that is taken.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Connections at once; with one more, the one that has been waited for longest is closed.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds that a client has for each step: sending a request's head, sending a picture, "
    "and taking the answer.",
)
@click.option("--open/--no-open", "open_browser", default=True, help="Show the page at once.")
@device_option("that of the model")
@trust_option
@quiet_option
def serve(model, gallery, **options):
    """Serve a page on which drawing finds the photos of GALLERY, until Ctrl+C is pressed.

    Without MODEL and GALLERY, a small example on synthetic drawings.

    \b
    Examples:
      sklearn-dsh serve
      sklearn-dsh serve model.safetensors my_gallery --port 8080 --no-open
      sklearn-dsh serve model.safetensors my_gallery --calibrate held_out --title "My boats"
    """
    if model is not None and gallery is None:
        raise click.UsageError("MODEL was given without GALLERY: give both, or neither.")
    try:
        with loading(options["quiet"]):
            from sklearn_dsh.serve import run
    except ImportError as error:
        raise ImportError(
            f"The page needs packages that are not installed ({error}): pip install "
            '"sklearn-dsh[demo]"'
        ) from error
    host = options["host"]
    if host not in ("127.0.0.1", "localhost", "::1"):
        note(
            f"Warning: at {host} everybody who reaches this machine can search the photos and see "
            "them; there is no password."
        )
    run(model, gallery, **options)
