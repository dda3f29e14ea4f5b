"""The page in a real browser: what somebody who draws sees."""

import re

import numpy as np
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
pytest.importorskip("uvicorn", reason="the page needs Starlette and uvicorn")

from page_in_browser import (  # noqa: E402
    NARROW,
    choose_file,
    draw,
    draw_circle,
    draw_cross,
    expect_gallery,
    expect_photos_of,
    png,
    served,
    touch,
    wait_for_length,
)

from sklearn_dsh.serve import create_app  # noqa: E402
from sklearn_dsh.serve._uploads import MAX_BYTES  # noqa: E402

expect = sync_api.expect


def test_photos_follow_the_drawing(open_page):
    page = open_page()
    expect_gallery(page)
    expect(page.locator("#gallery-size")).to_have_text("40 photos, codes of 32 bits")
    draw_circle(page)
    expect_photos_of(page, "circle")
    first = page.locator("#photos img").first
    expect(first).to_have_attribute("alt", "Photo of circle")
    page.locator("#photos img").first.evaluate("image => image.decode()")
    expect(page.locator("#photos .distance").first).to_have_text(re.compile("similar|the same$"))
    expect(page.locator("#timing")).to_contain_text("32 bits: drawing read in")
    page.get_by_role("button", name="Clear").click()
    expect_gallery(page)
    draw_cross(page)
    expect_photos_of(page, "cross")


def test_photos_come_while_the_pen_is_down(open_page):
    page = open_page()
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    for i in range(10):
        page.mouse.move(box["x"] + 60 + 20 * i, box["y"] + 60 + 20 * i)
    expect(page.locator("#photos li")).to_have_count(8)
    page.mouse.up()


def test_one_request_at_a_time_and_the_newest_wins(open_page):
    page = open_page()
    held, sizes = [], []

    def hold(route):
        sizes.append(len(route.request.post_data_buffer))
        held.append(route)

    page.route("**/search", hold)
    draw_circle(page)
    wait_for_length(page, held, 1)
    draw(page, [(0.1, 0.1), (0.2, 0.1)])
    draw(page, [(0.9, 0.9), (0.8, 0.9)])
    assert len(held) == 1  # the others wait, and one request will do for both
    held[0].continue_()
    wait_for_length(page, held, 2)
    held[1].continue_()
    expect(page.locator("#timing")).to_contain_text("ms in all")
    assert len(held) == 2
    assert sizes[1] > sizes[0]


def test_undo_and_redo(open_page):
    page = open_page()
    undo, redo = (page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    expect(undo).to_be_disabled()
    draw_circle(page)
    expect_photos_of(page, "circle")
    page.keyboard.press("Delete")
    expect_gallery(page)
    draw_cross(page)
    expect_photos_of(page, "cross")
    page.keyboard.press("Control+z")
    undo.click()
    expect_gallery(page)
    undo.click()
    expect_photos_of(page, "circle")
    undo.click()
    expect_gallery(page)
    expect(undo).to_be_disabled()
    redo.click()
    expect_photos_of(page, "circle")
    for _ in range(3):
        page.keyboard.press("Control+Shift+Z")
    expect_photos_of(page, "cross")
    expect(redo).to_be_disabled()


def test_pen_width(open_page):
    page = open_page()

    def ink():
        return page.evaluate(
            """() => {
                const canvas = document.getElementById("canvas");
                const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                return all.data.filter((value, i) => i % 4 === 0 && value < 128).length;
            }"""
        )

    line = [(0.2, 0.5), (0.8, 0.5)]
    draw(page, line)
    thin = ink()
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Pen").fill("20")  # twice as wide
    draw(page, line)
    assert 1.8 < ink() / thin < 2.3


def test_upload_and_drawing_on(open_page, sketches):
    page = open_page()
    with page.expect_file_chooser():
        page.get_by_role("button", name="Upload").click()
    choose_file(page, "cross.png", "image/png", png(sketches[1]))
    expect_photos_of(page, "cross")
    draw_circle(page)  # takes the place of the picture
    expect_photos_of(page, "circle")
    page.keyboard.press("Control+z")
    expect_photos_of(page, "cross")


def test_large_photo_is_shrunk_and_sent(open_page, sketches, tmp_path):
    page = open_page()
    path = tmp_path / "large.png"
    enlarged = np.kron(sketches[0], np.ones((20, 20), np.uint8))
    path.write_bytes(png(enlarged) + bytes(MAX_BYTES))  # what follows a PNG's end is not read
    page.locator("#file").set_input_files(path)
    expect_photos_of(page, "circle")


@pytest.mark.parametrize(
    ("name", "content_type", "content", "message"),
    [
        ("notes.txt", "text/plain", b"hello", "This is not a picture (text/plain)"),
        ("fake.png", "image/png", b"hello", "send a PNG, JPEG, WebP or GIF file"),
        ("white.png", "image/png", png(np.full((64, 64), 255, np.uint8)), "no strokes"),
        ("huge.png", "image/png", bytes(MAX_BYTES + 1), "larger than 4 MB"),
    ],
)
def test_bad_upload_is_told(name, content_type, content, message, open_page):
    page = open_page()
    draw_circle(page)
    expect_photos_of(page, "circle")
    choose_file(page, name, content_type, content)
    expect(page.get_by_role("alert")).to_contain_text(message)
    expect_photos_of(page, "circle")  # the drawing is still there
    draw(page, [(0.5, 0.4), (0.5, 0.6)])
    expect(page.get_by_role("alert")).to_be_hidden()
    # Chromium itself reports answers of 4xx.
    open_page.errors[:] = [e for e in open_page.errors if "Failed to load resource" not in e]


def test_search_under_way_does_not_hide_an_error(open_page):
    page = open_page()
    held = []
    page.route("**/search", lambda route: held.append(route), times=1)
    draw_circle(page)
    wait_for_length(page, held, 1)
    choose_file(page, "notes.txt", "text/plain", b"hello")
    expect(page.get_by_role("alert")).to_contain_text("not a picture")
    held[0].continue_()
    expect_photos_of(page, "circle")
    expect(page.get_by_role("alert")).to_contain_text("not a picture")
    open_page.errors[:] = [e for e in open_page.errors if "Failed to load resource" not in e]


def test_dropped_and_pasted_pictures(open_page, sketches):
    page = open_page()
    give = """([kind, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "drawing.png", { type: "image/png" }));
        const options = { bubbles: true, cancelable: true };
        document.body.dispatchEvent(
            kind === "drop" ? new DragEvent("drop", { ...options, dataTransfer: data })
                            : new ClipboardEvent("paste", { ...options, clipboardData: data }));
    }"""
    page.evaluate(give, ["drop", list(png(sketches[0]))])
    expect_photos_of(page, "circle")
    page.evaluate(give, ["paste", list(png(sketches[1]))])
    expect_photos_of(page, "cross")


def test_samples(open_page):
    page = open_page()
    page.get_by_role("button", name="Sketch 2", exact=True).click()
    expect_photos_of(page, "cross")
    page.get_by_role("button", name="Sketch 1", exact=True).click()
    expect_photos_of(page, "circle")


def test_drawing_with_the_keyboard_alone(open_page):
    page = open_page()
    press = page.keyboard.press
    press("Tab")
    expect(page.locator("#canvas")).to_be_focused()
    expect(page.locator("#pen")).to_be_visible()

    def move(keys):
        for key in keys:
            press(f"Shift+Arrow{key}")

    # A cross, of steps to the right and down.
    move(["Left", "Up"] * 4)
    press("Space")
    expect(page.locator("#pen-state")).to_have_text("Pen down")
    move(["Right", "Down"] * 8)
    press("Space")
    expect(page.locator("#pen-state")).to_have_text("Pen up")
    move(["Up"] * 8)
    press("Space")
    move(["Left", "Down"] * 8)
    press("Space")
    expect_photos_of(page, "cross")
    press("Control+z")
    press("Control+z")
    expect_gallery(page)


def test_everything_is_reached_by_tab_and_seen_to_be(open_page):
    page = open_page()
    for _ in range(2):
        draw_circle(page)
    page.keyboard.press("Control+z")  # so that no button is disabled
    page.locator("#canvas").focus()
    reached = []
    for _ in range(17):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        assert focused.evaluate("(element) => getComputedStyle(element).outlineStyle") == "solid"
        reached.append(focused.evaluate("(element) => element.id || element.firstChild.alt"))
    samples = [f"Sketch {i}" for i in range(1, 13)]
    assert reached == ["undo", "redo", "clear", "upload", "width", *samples]


def test_narrow_screen(open_page):
    page = open_page(NARROW, has_touch=True, is_mobile=True)
    no_overflow = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(no_overflow)
    box = page.locator("#canvas").bounding_box()
    assert 280 <= box["width"] <= 360
    assert box["width"] == pytest.approx(box["height"], abs=1)
    draw_circle(page)
    expect_photos_of(page, "circle")
    assert page.evaluate(no_overflow)
    for locator in (
        *page.locator("button:visible").all(),
        page.get_by_label("Pen"),
        page.locator("#photos li").last,
        page.locator("#timing"),
    ):
        locator.scroll_into_view_if_needed()
        expect(locator).to_be_in_viewport()
    for button in page.locator(".drawing .tools button").all():
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 44  # for a finger
    page.get_by_role("button", name="Clear").tap()
    expect_gallery(page)


def test_drawing_with_a_finger(open_page):
    page = open_page(NARROW, has_touch=True, is_mobile=True)
    for down in (1, -1):
        at = [(0.2 + 0.06 * i, 0.5 + down * (0.06 * i - 0.3)) for i in range(11)]
        touch(page, at)
    expect_photos_of(page, "cross")
    assert page.evaluate("window.scrollY") == 0  # it drew, and did not scroll


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme, open_page):
    page = open_page(color_scheme=scheme)
    draw_circle(page)
    expect_photos_of(page, "circle")
    colours = page.evaluate(
        """() => {
            const ground = getComputedStyle(document.body).backgroundColor;
            const of = (selector) => getComputedStyle(document.querySelector(selector)).color;
            return [ground, ...["h1", "#timing", ".distance", "#answer"].map(of)];
        }"""
    )
    ground, *texts = (_luminance(colour) for colour in colours)
    for text in texts:
        bright, dark = max(ground, text), min(ground, text)
        assert (bright + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2, level AA


def _luminance(colour):
    """Relative luminance of "rgb(r, g, b)", by the formula of WCAG 2."""
    values = [int(v) / 255 for v in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def test_server_that_went_away(browser, fitted_hasher, gallery):
    page = browser.new_page()
    with served(create_app(fitted_hasher, gallery, n_results=8)) as address:
        page.goto(address)
        expect(page.locator("#gallery-size")).to_have_text("40 photos, codes of 32 bits")
        expect(page.locator("#samples")).to_be_hidden()
    draw_circle(page)
    expect(page.get_by_role("alert")).to_have_text(
        "The server does not answer. Start it again, then draw on."
    )
    page.close()
