"""The group of all commands."""

import click

import sklearn_dsh

from ._compare import compare
from ._encode import encode
from ._evaluate import evaluate
from ._export import export
from ._export_onnx import export_onnx
from ._fit import fit
from ._index import index
from ._info import info
from ._search import search
from ._serve import serve


class _InOrder(click.Group):
    """Lists its commands in the order in which they are used."""

    def list_commands(self, ctx):
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(sklearn_dsh.__version__, prog_name="sklearn-dsh")
def commands():
    """Find photos by drawing them: train, encode, search and measure.

    \b
    From a folder with sketch/<category>/* and photo/<category>/*:
      sklearn-dsh fit my_folder model.safetensors --protocol paper
      sklearn-dsh evaluate model.safetensors my_folder
      sklearn-dsh encode model.safetensors my_photos -o my_gallery
      sklearn-dsh search model.safetensors my_gallery drawing.png
      sklearn-dsh serve model.safetensors my_gallery

    What a command found goes to stdout, notes and progress to stderr. It ends with 0; with 1 if
    data, model or gallery are wrong; with 2 if the command was; with 130 if it was interrupted.
    """


for command in (fit, evaluate, encode, index, export, search, serve, info, compare, export_onnx):
    commands.add_command(command)
