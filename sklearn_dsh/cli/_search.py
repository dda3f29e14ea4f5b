"""``sklearn-dsh search``: the photos nearest to sketches."""

import click

from .._hasher_files import check_same_model, load_hasher
from .._pipelines import compute_on
from ._command import (
    Command,
    device_option,
    json_option,
    loading,
    print_json,
    quiet_option,
    trust_option,
)
from ._files import encode_files, find_images

_FEW = 100  # sketches, which are encoded within seconds


@click.command(cls=Command, short_help="Find the photos nearest to sketches.")
@click.argument("model", type=click.Path())
@click.argument("gallery", type=click.Path())
@click.argument("sketches", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help="Photos for each sketch.  [default: 10; with --radius all]",
)
@click.option("--radius", type=click.IntRange(min=0), help="Largest distance, in bits.")
@click.option(
    "--view",
    type=click.Choice(["sketch", "image"]),
    default="sketch",
    show_default=True,
    help="What the files are: image for photos that look for photos.",
)
@device_option("that of the model")
@json_option
@trust_option
@quiet_option
def search(model, gallery, sketches, top, radius, view, device, as_json, trust_pickle, quiet):
    """Print the photos of GALLERY nearest to each of SKETCHES: distance in bits, path, label.

    SKETCHES are files with dark strokes on white; folders of such; or - for a list on stdin. With
    --json, each line is an object with the keys query and results, a list of objects with distance,
    path and label.

    \b
    Examples:
      sklearn-dsh search model.safetensors my_gallery drawing.png
      sklearn-dsh search model.safetensors my_gallery drawings --top 3 --json
      sklearn-dsh search model.safetensors my_gallery drawing.png --radius 8
    """
    from ..gallery import Gallery

    with loading(quiet):
        hasher = load_hasher(model, trust_pickle=trust_pickle)
        compute_on(hasher, device)
        held = Gallery.load(gallery)
        files = list(find_images(sketches))
        check_same_model(held, hasher, model, gallery)
    codes, _ = encode_files(hasher, files, view, quiet=quiet or len(files) <= _FEW)
    if radius is None:
        found = held.search(codes, 10 if top is None else top)
    else:
        found = held.retriever.radius_neighbors(codes, radius)
    show = _print_as_json if as_json else _print_as_text
    for path, distances, indices in zip(files, *found, strict=True):
        rows = zip(distances[:top].tolist(), indices[:top].tolist(), strict=True)
        results = [
            {
                "distance": distance,
                "path": held.paths[i],
                "label": None if held.labels is None else held.labels[i],
            }
            for distance, i in rows
        ]
        show(path, results)


def _print_as_json(path, results):
    print_json({"query": path, "results": results})


def _print_as_text(path, results):
    click.echo(click.format_filename(path))
    for result in results:
        label = "" if result["label"] is None else f"  {click.format_filename(result['label'])}"
        name = click.format_filename(result["path"])
        click.echo(f"{result['distance']:5d}  {name}{label}")
    if not results:
        click.echo("       nothing within the radius")
