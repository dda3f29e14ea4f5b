"""``sklearn-dsh export-onnx``: a view of a model for other runtimes."""

import os

import click

from .._hasher_files import load_hasher
from .._outputs import check_output_file
from .._pipelines import last_step
from ._command import Command, loading, note, quiet_option, trust_option


@click.command("export-onnx", cls=Command, short_help="Write a model for other runtimes.")
@click.argument("model", type=click.Path())
@click.argument("output", type=click.Path())
@click.option(
    "--view",
    type=click.Choice(["sketch", "image"]),
    default="sketch",
    show_default=True,
    help="What the file encodes: sketches or photos.",
)
@trust_option
@quiet_option
def export_onnx(model, output, view, trust_pickle, quiet):
    """Write what encodes one view of MODEL to OUTPUT, an ONNX file.

    It reads pixels (or features, as the model does) and gives packed codes; onnxruntime runs it
    without this library and without torch. Photos of the compact networks want a model that was
    trained with --set sketch_tokens=None.

    \b
    Examples:
      sklearn-dsh export-onnx model.safetensors sketches.onnx
      sklearn-dsh export-onnx model.safetensors photos.onnx --view image
    """
    check_output_file(output, "an ONNX model")
    with loading(quiet):
        hasher = load_hasher(model, trust_pickle=trust_pickle)
        if hasher is not last_step(hasher):
            raise ValueError(
                f"{model!r} is a Pipeline: what comes before its hasher has no ONNX form. In "
                "Python, to_onnx(pipeline[-1], ...) writes the hasher, which reads features."
            )
        from ..export import to_onnx

        to_onnx(hasher, output, view=view)
    size = os.path.getsize(output)
    note(f"Wrote {output}: {view}, {hasher.n_bits} bits, {size:,} bytes.", quiet=quiet)
