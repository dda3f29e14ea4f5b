"""Objects made of strokes and patches: what sketches and photos of the synthetic data show.

Every category is a function that draws one random member as a list of parts, back to front. A
part is `(points, closed, material)`: points of shape (k, 2), x to the right and y down, within
about [-1, 1]; whether they bound a patch or are a line; and which of the object's materials it is
made of (0 the main one). Members of a category differ in proportions and in their parts.
"""

import itertools

import numpy as np


def _arc(cx, cy, rx, ry, start=0.0, stop=360.0, n=24):
    """Points on an ellipse; angles in degrees, clockwise from the right on the screen."""
    angle = np.radians(np.linspace(start, stop, n))
    return np.column_stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)])


def _ellipse(cx, cy, rx, ry, material):
    return _arc(cx, cy, rx, ry)[:-1], True, material


def _box(left, top, right, bottom, material):
    return _patch([(left, top), (right, top), (right, bottom), (left, bottom)], material)


def _patch(points, material):
    return np.array(points, dtype=float), True, material


def _line(points, material):
    return np.array(points, dtype=float), False, material


def _curve(start, control, stop, n=12):
    """A quadratic Bezier curve."""
    t = np.linspace(0, 1, n)[:, None]
    start, control, stop = (np.array(p, dtype=float) for p in (start, control, stop))
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * stop


def _boat(rng):
    width, depth = rng.uniform(0.7, 1.0), rng.uniform(0.25, 0.45)
    deck = rng.uniform(0.2, 0.5)
    hull = _curve((width, deck), (width * 0.7, deck + depth * 1.7), (0, deck + depth))
    keel = _curve((0, deck + depth), (-width * 0.8, deck + depth), (-width, deck))
    parts = [_patch(np.concatenate([hull, keel]), 0)]
    mast, top = rng.uniform(-0.2, 0.2), rng.uniform(-1.0, -0.6)
    parts.append(_line([(mast, deck), (mast, top)], 2))
    foot = deck - rng.uniform(0.08, 0.2)
    parts.append(_patch([(mast, top), (mast + rng.uniform(0.4, 0.8), foot), (mast, foot)], 1))
    if rng.random() < 0.7:
        parts.append(
            _patch([(mast, top + 0.2), (mast - rng.uniform(0.3, 0.6), foot), (mast, foot)], 1)
        )
    return parts


def _bottle(rng):
    body, neck = rng.uniform(0.28, 0.5), rng.uniform(0.1, 0.18)
    shoulder, top = rng.uniform(-0.35, 0.05), rng.uniform(-1.0, -0.7)
    right = np.concatenate(
        [
            [(neck, top)],
            _curve((neck, shoulder - 0.25), (neck, shoulder), (body, shoulder + 0.1), 8),
            [(body, 0.95)],
        ]
    )
    parts = [_patch(np.concatenate([right, right[::-1] * (-1, 1)]), 0)]
    parts.append(_box(-neck * 1.2, top - 0.1, neck * 1.2, top + 0.04, 2))
    if rng.random() < 0.8:
        label = rng.uniform(0.25, 0.4)
        parts.append(_box(-body, label, body, label + rng.uniform(0.2, 0.4), 1))
    return parts


def _butterfly(rng):
    spread, lift = rng.uniform(0.65, 0.95), rng.uniform(0.4, 0.8)
    low, drop = rng.uniform(0.4, 0.7), rng.uniform(0.4, 0.8)
    parts = []
    for side in (-1, 1):
        upper = np.concatenate(
            [
                _curve((0, -0.1), (side * 0.3, -lift * 1.5), (side * spread, -lift)),
                _curve((side * spread, -lift), (side * spread * 1.05, 0.05), (0, 0.1)),
            ]
        )
        lower = np.concatenate(
            [
                _curve((0, 0.05), (side * low * 1.5, 0.05), (side * low, drop)),
                _curve((side * low, drop), (side * 0.15, drop * 1.2), (0, 0.3)),
            ]
        )
        parts += [_patch(upper, 0), _patch(lower, 1)]
        parts.append(_ellipse(side * spread * 0.6, -lift * 0.55, 0.12, 0.12, 2))
        parts.append(_line(_curve((0, -0.35), (side * 0.05, -0.6), (side * 0.25, -0.75), 6), 2))
    parts.append(_ellipse(0, 0, 0.08, rng.uniform(0.35, 0.5), 2))
    return parts


def _car(rng):
    length, roof = rng.uniform(0.85, 1.0), rng.uniform(-0.5, -0.25)
    belt, floor = rng.uniform(-0.08, 0.08), rng.uniform(0.3, 0.45)
    back, front = rng.uniform(-0.9, -0.45) * length, rng.uniform(0.1, 0.35)
    slope = rng.uniform(0.15, 0.35)
    body = [(-length, floor), (-length, belt), (back, belt), (back + slope * 0.6, roof)]
    body += [(front, roof), (front + slope, belt), (length, belt + 0.12), (length, floor)]
    parts = [_patch(body, 0)]
    gap = (back + front) / 2 + 0.1
    parts.append(
        _patch(
            [
                (back + 0.1, belt),
                (back + slope * 0.6 + 0.08, roof + 0.08),
                (gap - 0.04, roof + 0.08),
                (gap - 0.04, belt),
            ],
            1,
        )
    )
    parts.append(
        _patch(
            [
                (gap + 0.04, belt),
                (gap + 0.04, roof + 0.08),
                (front - 0.02, roof + 0.08),
                (front + slope - 0.1, belt),
            ],
            1,
        )
    )
    wheel = rng.uniform(0.16, 0.26)
    for x in (-length * rng.uniform(0.5, 0.65), length * rng.uniform(0.5, 0.65)):
        parts.append(_ellipse(x, floor, wheel, wheel, 2))
        parts.append(_ellipse(x, floor, wheel * 0.45, wheel * 0.45, 1))
    return parts


def _chair(rng):
    width, seat, thick = rng.uniform(0.4, 0.6), rng.uniform(0.0, 0.2), rng.uniform(0.06, 0.12)
    skew = rng.uniform(0.1, 0.3)
    top, foot = rng.uniform(-1.0, -0.7), rng.uniform(0.8, 1.0)
    parts = []
    for x in (-width + skew, width + skew):
        parts.append(_box(x - thick, seat, x, foot - 0.2, 2))
    back = [(-width + skew, top), (width + skew, top), (width + skew, seat), (-width + skew, seat)]
    if rng.random() < 0.5:
        parts.append(_patch(back, 1))
    else:
        parts.append(_box(-width + skew, top, width + skew, top + 0.2, 1))
        for x in np.linspace(-width + skew, width + skew - thick, rng.integers(2, 5)):
            parts.append(_box(x, top + 0.2, x + thick, seat, 1))
    parts.append(
        _patch(
            [
                (-width + skew, seat),
                (width + skew, seat),
                (width - 0.1, seat + 0.25),
                (-width - 0.1, seat + 0.25),
            ],
            0,
        )
    )
    for x in (-width - 0.1, width - 0.1 - thick):
        parts.append(_box(x, seat + 0.25, x + thick, foot, 2))
    return parts


def _cup(rng):
    top, bottom = rng.uniform(0.45, 0.7), rng.uniform(0.3, 0.55)
    rim, base, lid = rng.uniform(-0.65, -0.3), rng.uniform(0.55, 0.8), rng.uniform(0.06, 0.18)
    handle = rng.uniform(0.2, 0.35)
    middle = (rim + base) / 2
    outer = _arc(top * 0.85, middle, handle * 1.5, handle * 1.3, -80, 80)
    inner = _arc(top * 0.85, middle, handle * 1.05, handle * 0.85, 80, -80)
    side = _curve((top, rim), (top, base * 0.9), (bottom, base), 8)
    under = _arc(0, base, bottom, lid, 0, 180, 10)
    parts = []
    if rng.random() < 0.4:
        parts.append(_ellipse(0, base + 0.05, rng.uniform(0.75, 0.95), lid + 0.06, 2))
    parts.append(_patch(np.concatenate([outer, inner]), 0))
    parts.append(_patch(np.concatenate([side, under, side[::-1] * (-1, 1)]), 0))
    parts.append(_ellipse(0, rim, top, lid, 1))
    if rng.random() < 0.3:
        for x in (-0.2, 0.15):
            parts.append(
                _line(_curve((x, rim - 0.15), (x + 0.15, rim - 0.3), (x, rim - 0.5), 8), 2)
            )
    return parts


def _fish(rng):
    length, height = rng.uniform(0.55, 0.75), rng.uniform(0.25, 0.5)
    x = -0.2
    tail, fork = rng.uniform(0.25, 0.45), rng.uniform(0.0, 0.2)
    parts = [_patch([(x + length * 0.85, 0), (0.95, -tail), (0.95 - fork, 0), (0.95, tail)], 1)]
    fin = rng.uniform(0.15, 0.35)
    parts.append(
        _patch([(x - 0.2, -height * 0.85), (x + 0.15, -height - fin), (x + 0.35, -height * 0.7)], 1)
    )
    if rng.random() < 0.6:
        parts.append(
            _patch([(x - 0.1, height * 0.9), (x + 0.2, height + fin), (x + 0.25, height * 0.8)], 1)
        )
    upper = _curve((x - length, 0), (x - length * 0.2, -height * 2), (x + length, 0), 16)
    parts.append(_patch(np.concatenate([upper, upper[::-1] * (1, -1)]), 0))
    eye = x - length * rng.uniform(0.55, 0.7)
    parts.append(_ellipse(eye, -height * 0.15, 0.06, 0.06, 2))
    parts.append(_line(_arc(eye, 0, 0.25, height * 0.7, -60, 60, 10), 2))
    return parts


def _flower(rng):
    y, petal, n = rng.uniform(-0.45, -0.3), rng.uniform(0.2, 0.32), rng.integers(5, 9)
    bend = rng.uniform(-0.3, 0.3)
    stem = _curve((0, y), (bend, 0.4), (rng.uniform(-0.15, 0.15), 1.0))
    parts = [_line(stem, 2)]
    for side in rng.permutation([-1, 1])[: rng.integers(1, 3)]:
        x0, y0 = stem[rng.integers(6, 10)]
        tip = (x0 + side * rng.uniform(0.3, 0.55), y0 - rng.uniform(0.1, 0.35))
        leaf = [_curve((x0, y0), (x0 + side * 0.1, tip[1]), tip, 8)]
        leaf.append(_curve(tip, (tip[0], y0 + 0.05), (x0, y0), 8))
        parts.append(_patch(np.concatenate(leaf), 2))
    radius = rng.uniform(0.25, 0.35)
    long = petal * rng.uniform(0.8, 1.3)
    for angle in np.linspace(0, 2 * np.pi, n, endpoint=False) + rng.uniform(0, 1):
        c, s = np.cos(angle), np.sin(angle)
        points = _arc(radius, 0, long, min(petal, radius * 2.6 / n), n=13)[:-1]
        parts.append(_patch(points @ np.array([[c, s], [-s, c]]) + np.array([0, y]), 0))
    parts.append(_ellipse(0, y, radius * 0.6, radius * 0.6, 1))
    return parts


def _house(rng):
    width, eaves = rng.uniform(0.55, 0.85), rng.uniform(-0.3, 0.05)
    ground, ridge = rng.uniform(0.7, 0.9), rng.uniform(-0.95, -0.6)
    over, peak = rng.uniform(0.05, 0.2), rng.uniform(0.0, 0.5) * rng.integers(0, 2)
    parts = []
    if rng.random() < 0.5:
        x = rng.uniform(0.2, 0.45) * width
        parts.append(_box(x, ridge, x + 0.18, eaves, 2))
    parts.append(_box(-width, eaves, width, ground, 0))
    roof = [
        (-width - over, eaves),
        (-peak * width, ridge),
        (peak * width, ridge),
        (width + over, eaves),
    ]
    parts.append(_patch(roof, 1))
    door = rng.uniform(-0.6, 0.35) * width
    tall = rng.uniform(0.4, 0.6) * (ground - eaves)
    parts.append(_box(door, ground - tall, door + 0.25, ground, 2))
    for x in np.linspace(-width * 0.75, width * 0.5, rng.integers(2, 4)):
        if abs(x - door) > 0.28:
            parts.append(_box(x, eaves + 0.15, x + 0.24, eaves + 0.4, 2))
    return parts


def _lamp(rng):
    top, wide = rng.uniform(0.18, 0.35), rng.uniform(0.5, 0.75)
    shade = rng.uniform(-0.35, -0.05)
    foot, thick = rng.uniform(0.3, 0.5), rng.uniform(0.05, 0.12)
    parts = [_box(-thick, shade, thick, 0.85, 2)]
    if rng.random() < 0.5:
        parts.append(_ellipse(0, 0.4, rng.uniform(0.2, 0.35), 0.35, 0))
    parts.append(_patch(np.concatenate([_arc(0, 0.95, foot, 0.2, 180, 360, 10)]), 0))
    parts.append(_patch([(-top, -0.9), (top, -0.9), (wide, shade), (-wide, shade)], 1))
    return parts


def _mushroom(rng):
    width, rim, high = rng.uniform(0.65, 0.95), rng.uniform(-0.15, 0.15), rng.uniform(0.5, 0.85)
    stem, foot = rng.uniform(0.15, 0.28), rng.uniform(0.2, 0.38)
    side = _curve((stem, rim), (stem, 0.6), (foot, 0.95), 8)
    parts = [_patch(np.concatenate([side, side[::-1] * (-1, 1)]), 1)]
    bulge = rng.uniform(0.05, 0.2)
    cap = np.concatenate(
        [_arc(0, rim, width, high, 180, 360), _arc(0, rim, width, bulge, 0, 180, 12)]
    )
    parts.append(_patch(cap, 0))
    for _ in range(rng.integers(0, 5)):
        x, size = rng.uniform(-0.55, 0.55) * width, rng.uniform(0.06, 0.13)
        parts.append(_ellipse(x, rim - high * rng.uniform(0.2, 0.6), size, size, 2))
    return parts


def _tree(rng):
    trunk, fork = rng.uniform(0.08, 0.18), rng.uniform(0.2, 0.45)
    parts = [
        _patch(
            [(-trunk, fork - 0.2), (trunk, fork - 0.2), (trunk * 1.4, 1.0), (-trunk * 1.4, 1.0)], 1
        )
    ]
    if rng.random() < 0.5:  # a conifer
        wide, n = rng.uniform(0.5, 0.75), rng.integers(2, 5)
        heights = np.linspace(fork + 0.1, -0.5, n)
        for i, y in enumerate(heights):
            half = wide * (1 - 0.6 * i / n)
            parts.append(_patch([(-half, y), (0, y - rng.uniform(0.5, 0.65)), (half, y)], 0))
    else:
        wide, high = rng.uniform(0.55, 0.85), rng.uniform(0.45, 0.65)
        angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        bumps = 1 + rng.uniform(0.06, 0.14) * np.abs(
            np.sin(angle * rng.integers(3, 6) + rng.uniform(0, 3))
        )
        crown = np.column_stack([wide * np.cos(angle), high * np.sin(angle)]) * bumps[:, None]
        parts.append(_patch(crown + np.array([0, fork - high]), 0))
    return parts


def _umbrella(rng):
    width, rim, high = rng.uniform(0.75, 1.0), rng.uniform(-0.3, 0.0), rng.uniform(0.5, 0.8)
    n = rng.integers(3, 6)
    hook = rng.uniform(0.1, 0.2) * rng.choice([-1, 1])
    handle = np.concatenate([[(0, rim - high)], _arc(hook, 0.8, -hook, 0.17, 0, 180, 10)])
    parts = [_line(handle, 2)]
    edges = np.linspace(width, -width, n + 1)
    scallops = [
        _arc((a + b) / 2, rim, abs(a - b) / 2, 0.12, 0, -180, 8)
        for a, b in itertools.pairwise(edges)
    ]
    parts.append(_patch(np.concatenate([_arc(0, rim, width, high, 180, 360), *scallops]), 0))
    for x in edges[1:-1]:
        parts.append(_line(_curve((0, rim - high), (x, rim - high * 0.8), (x, rim), 8), 1))
    return parts


CATEGORIES = {
    "boat": _boat,
    "car": _car,
    "cup": _cup,
    "fish": _fish,
    "flower": _flower,
    "house": _house,
    "tree": _tree,
    "umbrella": _umbrella,
    "bottle": _bottle,
    "butterfly": _butterfly,
    "chair": _chair,
    "lamp": _lamp,
    "mushroom": _mushroom,
}
