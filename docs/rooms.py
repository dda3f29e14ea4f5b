"""The rooms of the house, read where they are held: the layering test, and each room's first line.

Nothing is imported but text is parsed, so that neither the package nor pytest is needed.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_dsh"


def stands_on():
    """Room -> rooms that it may import from: STANDS_ON of ``tests/test_layering.py``."""
    tree = ast.parse((ROOT / "tests" / "test_layering.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "STANDS_ON":
            return ast.literal_eval(node.value)
    raise LookupError("tests/test_layering.py assigns no STANDS_ON")


def below(room, graph):
    """All rooms that a room may import from, through others too."""
    found = set(graph[room])
    for other in graph[room]:
        found |= below(other, graph)
    return found


def is_public(room):
    return room[0] != "_" or room == "__main__"


def edges(graph):
    """Pairs (room, room below) of public rooms; what follows from other pairs is left out.

    Private rooms are looked through: a room that reaches another by way of them stands on it.
    """
    reached = {
        room: {other for other in below(room, graph) if is_public(other)}
        for room in graph
        if is_public(room)
    }
    return {
        (room, other)
        for room, others in reached.items()
        for other in others
        if not any(other in reached[between] for between in others)
    }


def floors(graph):
    """Public rooms by floor, the ground floor first: each is one above the highest it stands on."""
    pairs = edges(graph)

    def floor(room):
        return 1 + max((floor(other) for upper, other in pairs if upper == room), default=-1)

    found = {}
    for room in filter(is_public, graph):
        found.setdefault(floor(room), []).append(room)
    return [found[number] for number in sorted(found)]


def path_of(room):
    """The file or folder of a room, from the package on."""
    return f"{room}/" if (PACKAGE / room).is_dir() else f"{room}.py"


def about(room):
    """The first line of a room's docstring."""
    path = PACKAGE / room / "__init__.py" if (PACKAGE / room).is_dir() else PACKAGE / f"{room}.py"
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).partition("\n")[0]


def table():
    """Lines of reStructuredText: every room, what it is about and what it stands on."""
    graph = stands_on()
    rooms = [room for level in reversed(floors(graph)) for room in level]
    rooms += sorted(room for room in graph if not is_public(room))
    lines = [".. list-table::", "    :header-rows: 1", "    :widths: 22 44 34", ""]
    lines += ["    * - room", "      - what it is about", "      - stands on"]
    for room in rooms:
        text = re.sub(r"`+([^`]+)`+", r"``\1``", about(room))
        lines += [
            f"    * - ``{path_of(room)}``",
            f"      - {text}",
            f"      - {', '.join(f'``{other}``' for other in graph[room]) or 'nothing'}",
        ]
    return lines
