"""The map of the package in the documentation is that of the layering test."""

import importlib.util
import re
from pathlib import Path

import pytest
from test_layering import STANDS_ON, below

DOCS = Path(__file__).parents[1] / "docs"
AGAIN = "draw it again: python docs/figures/{}.py"


@pytest.fixture(scope="module")
def rooms():
    spec = importlib.util.spec_from_file_location("rooms", DOCS / "rooms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ids(name, start):
    """Ids in a figure that begin so, without that beginning."""
    text = (DOCS / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    return set(re.findall(rf'id="{start}([^"]+)"', text))


def test_what_is_read_is_the_layering_test(rooms):
    assert rooms.stands_on() == STANDS_ON


def test_every_room_is_on_the_map():
    assert ids("house", "room-") == set(STANDS_ON), AGAIN.format("house")


def test_arrows_are_what_rooms_stand_on(rooms):
    pairs = rooms.edges(STANDS_ON)
    assert ids("house", "on-") == {"-".join(pair) for pair in pairs}, AGAIN.format("house")


def test_arrows_say_all_and_nothing_twice(rooms):
    """Followed to their ends they reach what may be imported; each is needed for that."""
    pairs = rooms.edges(STANDS_ON)

    def reached(room, pairs):
        found = {lower for upper, lower in pairs if upper == room}
        return found.union(*(reached(other, pairs) for other in found))

    for room in filter(rooms.is_public, STANDS_ON):
        assert reached(room, pairs) == {r for r in below(room) if rooms.is_public(r)}
    for upper, lower in pairs:
        assert lower not in reached(upper, pairs - {(upper, lower)})


def test_arrows_of_a_small_house(rooms):
    graph = {"codes": [], "_search": ["codes"], "metrics": ["_search"], "cli": ["metrics", "codes"]}
    assert rooms.edges(graph) == {("metrics", "codes"), ("cli", "metrics")}
    assert rooms.floors(graph) == [["codes"], ["metrics"], ["cli"]]


def test_rooms_on_the_way_exist():
    steps = ids("way", "rooms ")
    named = {room for step in steps for room in step.split()}
    assert len(named) > 8
    assert named <= set(STANDS_ON), AGAIN.format("way")


def test_the_table_has_every_room_and_what_it_is_about(rooms):
    text = "\n".join(rooms.table())
    listed = re.findall(r"\* - ``(\w+)(?:\.py|/)``", text)
    assert sorted(listed) == sorted(STANDS_ON)
    for room in STANDS_ON:
        assert rooms.about(room).endswith("."), f"the first line of {room} is to be a sentence"
        assert (rooms.PACKAGE / rooms.path_of(room)).exists()


def test_rooms_that_the_page_names_exist():
    text = (DOCS / "guide" / "architecture.rst").read_text(encoding="utf-8")
    assert ".. rooms::" in text
    for name in re.findall(r"``(sklearn_dsh/[\w/.]*\w/?)``", text):
        assert (DOCS.parent / name).exists(), name
