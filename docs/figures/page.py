"""Pictures of the page to draw on, of the example that it makes: ``make screenshots``.

    python docs/figures/page.py FOLDER
    python docs/figures/page.py FOLDER --figures    # and those of the documentation

Needs Playwright and a Chromium of the system's. What is drawn comes from the example's own
sketches, and one scribble is of nothing that its gallery has.
"""

import argparse
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from sklearn_dsh.serve import create_app
from sklearn_dsh.serve._run import _load

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from page_in_browser import draw, served

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SCRIBBLE = [(0.1, 0.2), (0.9, 0.25), (0.15, 0.4), (0.85, 0.5), (0.2, 0.6), (0.9, 0.75), (0.1, 0.8)]
# In the documentation, as JPEG: a fifth of the size.
FIGURES = {"wide_2_drawn": "page", "wide_3_opened": "page_opened"}


def take_pictures(browser, address, folder):
    """Take all pictures; their paths in the order of taking."""
    taken = []
    for name, viewport, options in (
        ("wide", WIDE, {}),
        ("dark", WIDE, {"color_scheme": "dark"}),
        ("narrow", NARROW, {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}),
    ):
        context = browser.new_context(viewport=viewport, **options)
        page = context.new_page()
        page.goto(address)
        for step, picture in enumerate(_walk(page), 1):
            path = folder / f"{name}_{step}_{picture}.png"
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(300)  # what moves has come to rest
            page.screenshot(path=path)
            taken.append(path)
        context.close()
    return taken


def _walk(page):
    """Use the page; yields the name of what it shows."""
    expect(page.locator("#samples button").first).to_be_visible()
    expect(page.locator("#photos li").first).to_be_visible()
    yield "start"
    page.locator("#samples button").first.click()
    expect(page.locator("#timing")).to_contain_text("ms in all")
    yield "drawn"
    page.locator("#photos button").nth(1).click()
    yield "opened"
    page.get_by_role("button", name="More like this").click()
    expect(page.locator("#answer")).to_contain_text("More like")
    yield "more_like_this"
    page.keyboard.press("Delete")
    draw(page, SCRIBBLE, steps=5)
    expect(page.locator("#answer")).to_contain_text("Not sure")
    yield "unsure"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--figures", action="store_true", help="replace docs/figures/page*.jpg")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit(f"No browser: none of {', '.join(BROWSERS)} is on the PATH. Install one of them.")
    app = create_app(**_load(None, None, None, None))
    with served(app) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for taken in take_pictures(browser, address, folder):
            sys.stderr.write(f"{taken}\n")
            if options.figures and taken.stem in FIGURES:
                figure = Path(__file__).with_name(f"{FIGURES[taken.stem]}.jpg")
                with Image.open(taken) as shot:
                    shot.convert("RGB").save(figure, quality=85, optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
