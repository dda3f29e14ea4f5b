"""``sklearn-dsh export``: a gallery in the file of another store."""

import click

from .._outputs import check_space
from ._command import Command, count, json_option, loading, print_json, quiet_option
from ._encode import about_gallery_bytes

STORES = ["parquet", "duckdb", "lancedb", "sqlite-vec", "faiss"]


@click.command(cls=Command, short_help="Write a gallery for another store.")
@click.argument("gallery", type=click.Path())
@click.option("--to", "store", required=True, type=click.Choice(STORES), help="Which store.")
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="The file, replaced if it is there; of lancedb a new folder.",
)
@json_option
@quiet_option
def export(gallery, store, output, as_json, quiet):
    """Write the codes, paths and labels of GALLERY as another store reads them.

    Parquet files hold the columns path, code and label; databases a table photos with the row of
    each photo as id; faiss an index of codes alone, whose ids are these rows.

    \b
    Examples:
      sklearn-dsh export my_gallery --to parquet -o my_gallery.parquet
      sklearn-dsh export my_gallery --to duckdb -o photos.duckdb
    """
    from ._stores import check_output, write

    check_output(store, output)
    with loading(quiet):
        from ..gallery import Gallery

        loaded = Gallery.load(gallery)
        check_space(output, about_gallery_bytes(loaded.paths, loaded.n_bits))
        write(loaded, store, output)
    report = {
        "gallery": gallery,
        "to": store,
        "output": output,
        "n_photos": len(loaded),
        "n_bits": loaded.n_bits,
    }
    if as_json:
        print_json(report)
    else:
        n_photos = count(len(loaded), "photo")
        click.echo(f"{output}: {n_photos}, {loaded.n_bits} bits each, for {store}.")
