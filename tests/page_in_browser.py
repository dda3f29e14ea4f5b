"""The page to draw on in a browser: serving it, drawing on it, and what is to be seen."""

import io
import math
from contextlib import contextmanager

from page_server import serving
from PIL import Image
from playwright.sync_api import expect

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
expect.set_options(timeout=30_000)  # a busy machine is no failure


@contextmanager
def served(app):
    """The address of a server of `app` in a thread of its own."""
    with serving(app) as (_, port):
        yield f"http://127.0.0.1:{port}/"


def draw(page, points, *, steps=1):
    """Draw one stroke with the mouse, in steps, through points in parts of the canvas."""
    canvas = page.locator("#canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up()


def touch(page, points):
    """Draw one stroke with a finger, as the browser gets it from a screen."""
    box = page.locator("#canvas").bounding_box()
    session = page.context.new_cdp_session(page)

    def send(kind, *places):
        at = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in places
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    send("touchStart", points[0])
    for point in points[1:]:
        send("touchMove", point)
    send("touchEnd")


def draw_circle(page):
    angles = [2 * math.pi * i / 30 for i in range(31)]
    draw(page, [(0.5 + 0.35 * math.cos(a), 0.5 + 0.35 * math.sin(a)) for a in angles])


def draw_cross(page):
    draw(page, [(0.2 + 0.06 * i, 0.2 + 0.06 * i) for i in range(11)])
    draw(page, [(0.2 + 0.06 * i, 0.8 - 0.06 * i) for i in range(11)])


def expect_photos_of(page, label, n=8):
    """Wait until all eight photos are of one category."""
    expect(page.locator("#photos .label")).to_have_text([label] * n)
    expect(page.locator("#answer")).to_have_text(f"{n} photos, {n} of them labelled {label}")


def expect_gallery(page, n=8):
    """Wait until the paper is empty, and photos from all over the gallery are shown."""
    expect(page.locator("#answer")).to_have_text("From all over the gallery")
    expect(page.locator("#photos li")).to_have_count(n)
    expect(page.locator("#invitation")).to_be_visible()


def expect_calm(page):
    """Wait until every drawing has its answer, so that nothing moves below the pointer."""
    expect(page.locator("#photos")).to_have_attribute("aria-busy", "false")


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def choose_file(page, name, content_type, content):
    page.locator("#file").set_input_files(
        {"name": name, "mimeType": content_type, "buffer": content}
    )


def wait_for_length(page, requests, n):
    """Let Playwright call the handlers of routes until n requests were held back."""
    for _ in range(1000):
        if len(requests) >= n:
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"request {n} was never sent")
