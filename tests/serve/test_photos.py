"""The photos in a real browser: opened, leafed through, others like them, and sure or not."""

import math
import re

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
pytest.importorskip("uvicorn", reason="the page needs Starlette and uvicorn")

from page_in_browser import (  # noqa: E402
    NARROW,
    WIDE,
    draw,
    draw_circle,
    draw_cross,
    expect_calm,
    expect_gallery,
    expect_photos_of,
    served,
    touch,
    wait_for_length,
)

from sklearn_dsh import (  # noqa: E402
    HOGFeatures,
    ITQHasher,
    PerView,
    SketchImageArray,
    stack_views,
)
from sklearn_dsh._pipelines import project  # noqa: E402
from sklearn_dsh.confidence import Confidence  # noqa: E402
from sklearn_dsh.gallery import Gallery  # noqa: E402
from sklearn_dsh.serve import create_app  # noqa: E402
from sklearn_dsh.serve._images import to_sketch  # noqa: E402

expect = sync_api.expect
BAR = [(0.1, 0.5), (0.9, 0.5)]  # neither a circle nor a cross
PHONE = {"viewport": NARROW, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def uncertain(sketches, photos, labels, gallery, draw_sign):
    """A hasher whose distances tell what is no circle and no cross, its gallery, a confidence."""
    hog = PerView(sketch=HOGFeatures(), image=HOGFeatures())
    hasher = Pipeline([("hog", hog), ("itq", ITQHasher(32, random_state=0))])
    hasher.fit(*stack_views(sketches, photos, (labels, labels)))
    codes = hasher.transform(SketchImageArray(None, photos))
    held = Gallery(codes, 32, gallery.paths, labels=labels)
    rng = np.random.default_rng(5)
    drawn = [to_sketch(draw_sign(label, rng)[..., 0], (256, 256)) for label in labels]
    values = project(hasher, SketchImageArray(np.concatenate(drawn), None))
    return hasher, held, Confidence.calibrate(held, values, labels, sure_share=0.97)


@pytest.fixture(scope="module")
def sure_address(uncertain, sketches):
    """Of a page with a title and 24 photos that says whether it is sure."""
    hasher, held, confidence = uncertain
    app = create_app(hasher, held, samples=sketches[:12], confidence=confidence, title="Signs")
    with served(app) as address:
        yield address


def names(page):
    """Names of the files on the page of photos: the photos' addresses hold their rows."""
    return page.locator("#photos img").evaluate_all(
        "(images) => images.map((image) => Number(image.src.match(/photo.(\\d+)/)[1]))"
    )


def open_first(page):
    draw_circle(page)
    expect_photos_of(page, "circle")
    page.locator("#photos button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def test_opened_photo(open_page, gallery):
    page = open_page()
    dialog = open_first(page)
    first, second = names(page)[:2]
    expect(dialog.locator("h2")).to_have_text(f"{first}.png")
    expect(dialog.locator("#opened-label")).to_have_text("circle")
    expect(dialog.locator("#opened-distance")).to_have_text(
        re.compile(
            r"(similar|the same): its code and that of the drawing (differ in \d+ of 32|are)"
        )
    )
    page.locator("#opened-photo").evaluate("image => image.decode()")
    assert dialog.locator("img").bounding_box()["width"] > 400  # many times the one in the list
    page.keyboard.press("ArrowRight")
    expect(dialog.locator("h2")).to_have_text(f"{second}.png")
    expect(dialog.get_by_role("button", name="Photo before")).to_be_enabled()
    dialog.get_by_role("button", name="Photo before").click()
    expect(dialog.locator("h2")).to_have_text(f"{first}.png")
    expect(dialog.get_by_role("button", name="Photo before")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#photos button").first).to_be_focused()


def test_keys_of_the_paper_are_off_while_a_photo_is_opened(open_page):
    page = open_page()
    open_first(page)
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Close").click()
    expect_photos_of(page, "circle")


def test_more_like_this_and_back(open_page, gallery):
    page = open_page()
    dialog = open_first(page)
    drawn = names(page)
    dialog.get_by_role("button", name="More like this").click()
    expect(page.locator("#answer")).to_have_text(f"More like {drawn[0]}.png")
    # By brute force: the nearest to the photo's own code, the photo itself left out.
    bits = [int.from_bytes(code.tobytes()) for code in gallery.codes]
    order = sorted(range(40), key=lambda i: ((bits[i] ^ bits[drawn[0]]).bit_count(), i))
    assert names(page) == [i for i in order if i != drawn[0]][:8]
    page.locator("#photos button").first.click()
    expect(page.locator("#opened-distance")).to_contain_text("that of the other photo")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back to the drawing").click()
    expect_photos_of(page, "circle")
    assert names(page) == drawn
    expect(page.get_by_role("button", name="Back to the drawing")).to_be_hidden()


def test_a_stroke_ends_more_like_this(open_page):
    page = open_page()
    page.locator("#photos button").first.click()
    page.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("button", name="Back to the gallery")).to_be_visible()
    draw_cross(page)
    expect_photos_of(page, "cross")
    page.keyboard.press("Delete")
    expect_gallery(page)


def test_leafing(open_page, gallery):
    page = open_page()
    before, after = (page.get_by_role("button", name=f"{x} page") for x in ("Previous", "Next"))
    draw_circle(page)
    expect_photos_of(page, "circle")
    seen = names(page)
    expect(before).to_be_disabled()
    for start in range(9, 41, 8):
        expect_calm(page)
        after.click()
        expect(page.locator("#place")).to_have_text(f"{start} to {start + 7} of 40")
        seen += names(page)
    assert sorted(seen) == list(range(40))  # every photo, each once
    expect(after).to_be_disabled()
    before.click()
    expect(page.locator("#place")).to_have_text("25 to 32 of 40")
    assert names(page) == seen[24:32]


def test_leafing_through_the_gallery(open_page):
    page = open_page()
    seen = names(page)
    for start in range(9, 41, 8):
        page.get_by_role("button", name="Next page").click()
        expect(page.locator("#place")).to_have_text(f"{start} to {start + 7} of 40")
        seen += names(page)
    assert sorted(seen) == list(range(40))


def test_sure_and_unsure(open_page, sure_address):
    page = open_page(at=sure_address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Signs")
    assert page.title() == "Signs"
    draw_circle(page)
    expect(page.locator("#answer")).to_have_text("Looks like: circle")
    expect(page.locator("#detail")).to_have_text(
        re.compile(r"24 photos, 20 of them labelled circle")
    )
    page.keyboard.press("Delete")
    draw(page, BAR)
    expect(page.locator("#answer")).to_have_text("Not sure: no photo is as close as usual")
    page.keyboard.press("Delete")
    expect_gallery(page, 24)


def test_unsure_of_several_kinds(open_page, uncertain):
    hasher, held, _ = uncertain
    confidence = Confidence(min_agreement=-np.inf, min_share=0.9)
    with served(create_app(hasher, held, confidence=confidence)) as address:
        page = open_page(at=address)
        draw(page, BAR)
        expect(page.locator("#answer")).to_have_text(
            "Not sure: the nearest photos are of several kinds"
        )
        expect(page.locator("#detail")).to_contain_text(re.compile("circle, cross|cross, circle"))


def test_touch(open_page, sure_address):
    page = open_page(at=sure_address, **PHONE)
    angles = [2 * math.pi * i / 30 for i in range(31)]
    touch(page, [(0.5 + 0.35 * math.cos(a), 0.5 + 0.35 * math.sin(a)) for a in angles])
    expect(page.locator("#answer")).to_have_text("Looks like: circle")
    assert page.evaluate("window.scrollY") == 0
    expect_calm(page)
    page.wait_for_timeout(1000)  # Chromium makes no click of a tap right after a stroke
    page.locator("#photos button").nth(2).tap()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for button in dialog.get_by_role("button").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 44  # for a finger
        expect(button).to_be_in_viewport()
    dialog.get_by_role("button", name="More like this").tap()
    expect(page.locator("#answer")).to_contain_text("More like")
    page.get_by_role("button", name="Next page").tap()
    expect(page.locator("#place")).to_have_text("25 to 39 of 39")
    page.get_by_role("button", name="Back to the drawing").tap()
    expect(page.locator("#answer")).to_have_text("Looks like: circle")


def test_a_photo_that_is_pressed_opens_though_others_come_meanwhile(open_page):
    page = open_page()
    answers = []
    page.route("**/search", lambda route: answers.append(route))
    draw_circle(page)
    wait_for_length(page, answers, 1)
    photo = page.locator("#photos button").first
    pressed = names(page)[0]
    photo.hover()
    page.mouse.down()
    for _ in range(3):  # the strokes' moves were asked about, too
        for route in answers[:]:
            route.continue_()
            answers.remove(route)
        page.wait_for_timeout(300)
    page.mouse.up()
    expect(page.locator("#opened-name")).to_have_text(f"{pressed}.png")
    page.keyboard.press("Escape")
    page.unroute("**/search")
    expect_photos_of(page, "circle")
    expect_calm(page)


def test_rows_are_full_and_nothing_is_cut_off(open_page, sure_address):
    page = open_page(at=sure_address)
    draw_circle(page)
    expect(page.locator("#answer")).to_have_text("Looks like: circle")
    for items, columns in (("#samples button", 6), ("#photos li", 6)):
        tops = [round(item.bounding_box()["y"]) for item in page.locator(items).all()]
        assert [tops.count(top) for top in sorted(set(tops))] == [columns] * (len(tops) // columns)
    # All of it is seen at once.
    assert page.evaluate("document.documentElement.scrollHeight") == WIDE["height"]
    phone = open_page(at=sure_address, **PHONE)
    tops = [round(item.bounding_box()["y"]) for item in phone.locator("#photos li").all()]
    assert {tops.count(top) for top in tops} == {3}


@pytest.mark.parametrize(
    "options", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"]
)
def test_axe_finds_no_violation(options, open_page, sure_address):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    ).Axe()
    page = open_page(at=sure_address, reduced_motion="reduce", **options)

    def check(state):
        violations = axe.run(page).response["violations"]
        told = [(v["id"], [node["target"] for node in v["nodes"]]) for v in violations]
        assert told == [], state

    check("start")
    draw_circle(page)
    expect(page.locator("#answer")).to_have_text("Looks like: circle")
    check("sure")
    page.locator("#photos button").first.click()
    check("opened")
    page.get_by_role("button", name="More like this").click()
    expect(page.locator("#answer")).to_contain_text("More like")
    check("more like this")
    page.keyboard.press("Delete")
    draw(page, BAR)
    expect(page.locator("#answer")).to_contain_text("Not sure")
    check("unsure")
    page.locator("#file").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    )
    expect(page.get_by_role("alert")).to_contain_text("not a picture")
    check("error")
    open_page.errors[:] = [e for e in open_page.errors if "Failed to load resource" not in e]
