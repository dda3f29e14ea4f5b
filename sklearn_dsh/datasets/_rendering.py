"""One object as a photo-like picture, and as a free-hand-like drawing."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Pictures are drawn so many times larger than wanted and then shrunk: smooth edges.
_PHOTO_SCALE = 2
_SKETCH_SCALE = 3


def render_photo(parts, size, rng, *, difficulty=1.0):
    """Paint an object, textured and lit, on a cluttered background.

    Parameters
    ----------
    parts : list
        As in `_shapes`.
    size : int
        Height and width.
    rng : numpy.random.Generator
    difficulty : float, default=1.0
        Amount of clutter and of variation in pose; 0 is the bare object in the middle.

    Returns
    -------
    photo : ndarray of uint8, shape (size, size, 3)
    """
    side = size * _PHOTO_SCALE
    scale = rng.uniform(0.8 - 0.3 * difficulty, 0.85)
    turn = rng.uniform(-0.3, 0.3) * difficulty
    place = _pose(rng, scale, turn, difficulty)

    background = Image.fromarray(_background(size, rng)).resize((side, side))
    painter = ImageDraw.Draw(background)
    for _ in range(rng.poisson(5 * difficulty)):
        _clutter(painter, side, rng)

    mask = Image.new("L", (side, side))
    mask_painter = ImageDraw.Draw(mask)
    painted = background.copy()
    painter = ImageDraw.Draw(painted)
    colours = [_colour(rng) for _ in range(3)]
    edge = _shade(colours[0], rng.uniform(0.3, 0.7)) if rng.random() < 0.4 else None
    thick = max(1, round(side * 0.02 * rng.uniform(0.7, 1.4)))
    for points, closed, material in parts:
        corners = _to_pixels(place(points), side)
        if closed:
            painter.polygon(corners, fill=colours[material], outline=edge, width=thick // 2)
            mask_painter.polygon(corners, fill=255)
        else:
            painter.line(corners, fill=colours[material], width=thick, joint="curve")
            mask_painter.line(corners, fill=255, width=thick, joint="curve")

    small = (size, size)
    inside = np.asarray(mask.resize(small, Image.Resampling.BOX), np.float32)[..., None] / 255
    shadow = mask.resize(small).transform(
        small, Image.Transform.AFFINE, (1, 0, -0.06 * size, 0, 1, -0.05 * size)
    )
    shadow = np.asarray(shadow.filter(ImageFilter.GaussianBlur(size / 25)), np.float32)[..., None]
    behind = np.asarray(background.resize(small, Image.Resampling.BOX), np.float32)
    front = np.asarray(painted.resize(small, Image.Resampling.BOX), np.float32)
    behind = behind * (1 - rng.uniform(0.1, 0.5) * shadow / 255)
    front = front * _lighting(size, rng)
    # `front` already blends into the unlit background where the mask is partial.
    photo = behind * (1 - inside) + front * inside

    if rng.random() < 0.4 * difficulty:
        picture = Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8))
        _occluder(ImageDraw.Draw(picture), size, rng)
        photo = np.asarray(picture, np.float32)
    return _camera(photo, rng)


def render_sketch(parts, size, rng, *, difficulty=1.0):
    """Draw an object with wobbly pen strokes.

    Parameters
    ----------
    parts : list
        As in `_shapes`.
    size : int
        Height and width.
    rng : numpy.random.Generator
    difficulty : float, default=1.0
        Amount of wobble, of missing strokes and of distortion; 0 is a ruler drawing.

    Returns
    -------
    sketch : ndarray of uint8, shape (size, size)
        Dark strokes on white.
    """
    side = size * _SKETCH_SCALE
    scale = rng.uniform(0.85 - 0.4 * difficulty, 0.88)
    place = _pose(rng, scale, rng.normal(0, 0.25) * difficulty, difficulty)
    warp = _hand(rng, 0.07 * difficulty)
    tremor = rng.uniform(0.003, 0.016) * difficulty
    forgetful = rng.uniform(0, 0.3) * difficulty
    hides = rng.random() < 0.75
    width = max(1, round(side * rng.uniform(0.014, 0.034)))
    ink = rng.integers(0, 70)

    sketch = Image.new("L", (side, side), 255)
    painter = ImageDraw.Draw(sketch)
    for points, closed, material in parts:
        if material and rng.random() < forgetful:
            continue
        outline = _stroke(place(points), closed, tremor, rng)
        outline = warp(outline) + rng.normal(0, 0.02 * difficulty, 2)
        corners = _to_pixels(outline, side)
        if closed and hides:
            painter.polygon(corners, fill=255)
        for start, stop in _pieces(len(corners), forgetful, rng):
            shade = int(ink + rng.integers(0, 40))
            painter.line(corners[start:stop], fill=shade, width=width, joint="curve")
    return np.asarray(sketch.resize((size, size), Image.Resampling.BOX))


def _pose(rng, scale, turn, difficulty):
    """A random affine map of the object into the picture, whose corners are (-1, -1), (1, 1)."""
    stretch = np.exp(rng.normal(0, 0.14 * difficulty))
    shear = rng.normal(0, 0.12 * difficulty)
    c, s = np.cos(turn), np.sin(turn)
    matrix = scale * np.array([[c, -s], [s, c]]) @ [[stretch, shear], [0, 1 / stretch]]
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    room = 0.7 * (1 - scale) * difficulty
    shift = rng.uniform(-room, room, 2)
    return lambda points: points @ matrix.T + shift


def _to_pixels(points, side):
    return [tuple(p) for p in (points + 1) * (side / 2)]


def _hand(rng, strength):
    """A smooth random distortion of the plane: proportions that a hand gets wrong."""
    direction = rng.normal(0, 1.8, (4, 2))
    phase = rng.uniform(0, 2 * np.pi, 4)
    push = rng.normal(0, strength, (4, 2))
    return lambda points: points + np.sin(points @ direction.T + phase) @ push


def _stroke(points, closed, tremor, rng):
    """Resample to even steps and let the pen tremble."""
    if closed:
        points = np.concatenate([points, points[:1]])
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    n = max(3, int(along[-1] / 0.06))
    at = np.linspace(0, along[-1], n)
    line = np.column_stack([np.interp(at, along, points[:, i]) for i in range(2)])
    drift = np.cumsum(rng.normal(0, tremor, (n, 2)), axis=0)
    # Without its trend the drift returns to where it began, nearly: an outline that almost closes.
    return line + drift - np.linspace(0, 0.8, n)[:, None] * drift[-1]


def _pieces(n, forgetful, rng):
    """Start and stop of the pieces in which a stroke of n points is drawn, with gaps between."""
    if n < 10 or rng.random() > 2 * forgetful:
        return [(0, n)]
    gap, start = rng.integers(1, 1 + n // 4), rng.integers(1, n - 1)
    return [(0, start), (min(start + gap, n - 2), n)]


def _colour(rng):
    hue, saturation, value = rng.random(), rng.beta(1.2, 2.0), rng.uniform(0.2, 0.95)
    return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(hue, saturation, value))


def _shade(colour, factor):
    return tuple(int(c * factor) for c in colour)


def _noise(side, cells, rng):
    """Smooth noise of shape (side, side), standard normal before it is smoothed."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def _background(size, rng):
    """Two colours that blend or meet at a horizon, with texture; (size, size, 3) of uint8."""
    top, bottom = (np.array(_colour(rng), np.float32) for _ in range(2))
    y = np.linspace(0, 1, size, dtype=np.float32)
    sharpness = rng.choice([1.0, 4.0, 60.0])
    share = 1 / (1 + np.exp(-sharpness * (y - rng.uniform(0.35, 0.75))))
    flat = top + (bottom - top) * share[:, None, None].astype(np.float32)
    texture = sum(
        rng.uniform(0, strength) * _noise(size, cells, rng)
        for cells, strength in ((4, 22), (11, 16), (30, 14))
    )
    return np.clip(flat + texture[..., None], 0, 255).astype(np.uint8)


def _clutter(painter, side, rng):
    """One thing that is not the object: a patch, a ball, a pole or a twig."""
    x, y = rng.uniform(0, side, 2)
    kind = rng.integers(0, 4)
    colour = _colour(rng)
    if kind == 0:
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
        radius = side * rng.uniform(0.05, 0.25, len(angle))
        corners = np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])
        painter.polygon([tuple(p) for p in corners], fill=colour)
    elif kind == 1:
        w, h = side * rng.uniform(0.03, 0.15, 2)
        painter.ellipse((x - w, y - h, x + w, y + h), fill=colour)
    elif kind == 2:
        w, h = side * rng.uniform(0.02, 0.1), side * rng.uniform(0.2, 0.6)
        painter.rectangle((x - w, y - h, x + w, y + h), fill=colour)
    else:
        walk = np.array([x, y]) + np.cumsum(rng.normal(0, side * 0.08, (6, 2)), axis=0)
        width = int(side * rng.uniform(0.01, 0.03))
        painter.line([tuple(p) for p in walk], fill=colour, width=width, joint="curve")


def _occluder(painter, size, rng):
    """A leaf or a post in front, from one side of the picture."""
    colour = _colour(rng)
    x = rng.uniform(0, size)
    width = size * rng.uniform(0.04, 0.12)
    lean = size * rng.uniform(-0.3, 0.3)
    reach = size * rng.uniform(0.3, 1.0)
    top, bottom = (0, reach) if rng.random() < 0.5 else (size - reach, size)
    painter.polygon(
        [(x, top), (x + width, top), (x + width + lean, bottom), (x + lean, bottom)], colour
    )


def _lighting(size, rng):
    """Light from one side, and the texture of the object's surface; (size, size, 1)."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 + rng.uniform(0.1, 0.6) * (x * np.cos(angle) + y * np.sin(angle))
    grain = rng.uniform(0, 0.2) * _noise(size, rng.integers(6, 30), rng)
    if rng.random() < 0.3:
        stripes = np.sin((x * np.sin(angle) - y * np.cos(angle)) * rng.uniform(8, 25))
        grain = grain + rng.uniform(0.05, 0.25) * stripes
    return (light * (1 + grain))[..., None]


def _camera(photo, rng):
    """Exposure, colour cast, blur and sensor noise."""
    photo = (photo - 128) * rng.uniform(0.6, 1.15) + 128 + rng.uniform(-35, 35)
    photo = photo * rng.uniform(0.88, 1.12, 3)
    picture = Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(len(photo) * rng.uniform(0, 0.015)))
    noise = rng.normal(0, rng.uniform(1, 8), photo.shape)
    return np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
