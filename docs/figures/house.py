"""Draw the rooms of the package from the layering test: ``python docs/figures/house.py``."""

import sys
from itertools import combinations, permutations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    PALE_GREY,
    PALE_ORANGE,
    save_and_show,
)
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

sys.path.insert(0, str(Path(__file__).parents[1]))
from rooms import edges, floors, is_public, stands_on

WIDTH, PER_ROW = 4.0, 4  # in boxes
STEP, HEIGHT = 1.0, 0.46  # from floor to floor, of a box
# What people come for, what they stand on, and the commands: by colour.
METHODS = {"base", "baselines", "deep", "estimator_checks"}
COMMANDS = {"__main__", "cli", "demo", "serve"}


def look(room):
    if room in METHODS:
        return ORANGE, PALE_ORANGE
    if room in COMMANDS:
        return GREEN, PALE_GREEN
    return (BLUE, PALE_BLUE) if is_public(room) else (GREY, PALE_GREY)


def draw_room(ax, room, x, y, width=0.94, size=10.0, height=HEIGHT):
    edge, face = look(room)
    box = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height,
        boxstyle="round,pad=0,rounding_size=0.06", fc=face, ec=edge, lw=1.3, zorder=3,
    )  # fmt: skip
    box.set_gid(f"room-{room}")  # for the test that compares the file with the layering test
    ax.add_patch(box)
    text = room.replace("_", "_\n", 1) if is_public(room) and len(room) > 13 else room
    ax.text(x, y, text, ha="center", va="center", fontsize=size, color=INK, zorder=4,
            linespacing=0.95)  # fmt: skip


def rows_of(levels, pairs):
    """Rows of rooms, lowest first: a floor that is too wide takes two."""
    rows = []
    for level in levels:
        # What nothing stands on goes up a row.
        level = sorted(level, key=lambda room: all(room != other for _, other in pairs))
        size = -(-len(level) // -(-len(level) // PER_ROW))
        rows += [level[start : start + size] for start in range(0, len(level), size)]
    return rows


def hidden(place, height, pairs):
    """How many times a line runs behind a room, and how far all lines go sideways."""
    behind, sideways = 0, 0.0
    for upper, lower in pairs:
        sideways += abs(place[upper] - place[lower])
        for room, x in place.items():
            share = (height[room] - height[lower]) / (height[upper] - height[lower])
            at = place[lower] + share * (place[upper] - place[lower])
            behind += 0 < share < 1 and abs(at - x) < 0.55
    return behind + 0.2 * sideways


def place_rooms(rows, height, pairs):
    """Middles of the rooms, found by trying: a row at a time, from twelve beginnings."""
    slots = np.linspace(0.5, WIDTH - 0.5, 13)
    ways = {
        n: [
            way
            for way in permutations(slots, n)
            if all(abs(a - b) >= 1 for a, b in combinations(way, 2))
        ]
        for n in {len(row) for row in rows}
    }
    rng = np.random.default_rng(0)
    best = None
    for _ in range(12):
        place = {
            room: x
            for row in rows
            for room, x in zip(row, ways[len(row)][rng.integers(len(ways[len(row)]))], strict=True)
        }
        for _ in range(4):
            for row in rows:
                place |= min(
                    (dict(zip(row, way, strict=True)) for way in ways[len(row)]),
                    key=lambda found: hidden(place | found, height, pairs),
                )
        best = min(best or place, place, key=lambda found: hidden(found, height, pairs))
    return best


def main():
    graph = stands_on()
    pairs = edges(graph)
    rows = rows_of(floors(graph), pairs)
    cellar = sorted(room for room in graph if not is_public(room))
    height = {room: i * STEP for i, row in enumerate(rows) for room in row}
    place = place_rooms(rows, height, pairs)

    figure, ax = plt.subplots(figsize=(5.6, 9.6), layout="constrained")
    for upper, lower in sorted(pairs):
        line = FancyArrowPatch(
            (place[upper], height[upper] - HEIGHT / 2), (place[lower], height[lower] + HEIGHT / 2),
            arrowstyle="-|>", mutation_scale=9, color=GREY, lw=1.1, shrinkA=0, shrinkB=0, zorder=1,
        )  # fmt: skip
        line.set_gid(f"on-{upper}-{lower}")
        ax.add_patch(line)
    for row in rows:
        for room in row:
            draw_room(ax, room, place[room], height[room])
    top = -0.75
    ax.text(0.03, top, "cellar: rooms of the house's own", fontsize=10, weight="bold", va="center")
    for i, room in enumerate(cellar):
        x, y = WIDTH * (i % PER_ROW + 0.5) / PER_ROW, top - 0.42 - 0.46 * (i // PER_ROW)
        draw_room(ax, room, x, y, width=0.96, size=8.5, height=0.38)
    lowest = top - 0.42 - 0.46 * ((len(cellar) - 1) // PER_ROW)
    ax.set(xlim=(-0.02, WIDTH + 0.02), ylim=(lowest - 0.25, (len(rows) - 1) * STEP + 0.3))
    ax.set_axis_off()
    save_and_show(figure, __file__)


if __name__ == "__main__":
    main()
