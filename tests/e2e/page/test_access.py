"""For everybody: screen readers, keyboards, dark and light, a phone's width. Makes the documentation's screenshots."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.page.conftest import FAKE_CAMERA, chromium, watched
from tests.e2e.page.looking import keep
from tests.e2e.page.test_pictures import PORTRAIT, WALL
from tests.e2e.page.test_troubles import TEXT

WIDTHS = {"phone": (360, 780), "wide": (1440, 900)}


@pytest.fixture(params=WIDTHS)
def width(request):
    return request.param


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture
def looks(width, scheme):
    size = WIDTHS[width]
    return {"viewport": {"width": size[0], "height": size[1]}, "color_scheme": scheme}


def assert_accessible(there):
    """By axe, all of its rules; and nothing is wider than the window."""
    found = Axe().run(there.page).response["violations"]
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found] == []
    assert there.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_empty(visit, looks):
    assert_accessible(visit(**looks))


def test_with_faces(visit, looks, width, scheme, screenshots):
    there = visit(path="#sample", **looks)
    there.expect_faces(1)
    if scheme == "light":
        keep(there.page, screenshots / ("page.png" if width == "wide" else "page-phone.png"))
    there.page.get_by_role("option", name="Face 1").click()
    there.page.get_by_text("More options").click()
    there.drop(WALL)
    expect(there.page.get_by_role("listbox", name="Pictures").get_by_role("option")).to_have_count(2)
    there.expect_faces(12)
    assert_accessible(there)


def test_with_an_error(visit, looks):
    there = visit(**looks)
    there.drop(TEXT, PORTRAIT)
    expect(there.page.locator("#picture .problem")).to_be_visible()
    assert_accessible(there)


def test_with_the_camera(driver, clip, page_url, looks):
    switches = (*FAKE_CAMERA, f"--use-file-for-fake-video-capture={clip}")
    with chromium(driver, *switches) as browser, watched(browser, page_url) as visit:
        there = visit(permissions=["camera"], **looks)
        there.page.get_by_role("button", name="Camera").click()
        expect(there.page.locator("#camera-faces")).to_have_text("1")
        assert_accessible(there)


def test_the_switch_of_colours(visit):
    there = visit(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = there.page.evaluate(ground)
    there.page.get_by_role("button", name="Dark colours").click()
    dark = there.page.evaluate(ground)
    assert dark != light
    there.page.reload()
    assert there.page.evaluate(ground) == dark


def test_all_by_the_keyboard(visit):
    there = visit(reduced_motion="reduce")
    keys = there.page.keyboard
    keys.press("Tab")
    expect(there.page.get_by_role("link", name="Skip to the pictures")).to_be_focused()
    for name in ("Choose pictures", "Camera", "Sample"):
        keys.press("Tab")
        expect(there.page.get_by_role("navigation").get_by_role("button", name=name)).to_be_focused()
    keys.press("Enter")
    there.expect_faces(1)
    there.drop(WALL)
    there.expect_faces(12)
    tab_to(there, there.page.get_by_role("option", name="Face 1,"))
    keys.press("Enter")
    expect(there.page.get_by_role("option", name="Face 1,")).to_have_attribute("aria-selected", "true")
    keys.press("ArrowRight")
    second = there.page.get_by_role("option", name="Face 2,")
    expect(second).to_be_focused()
    expect(second).to_have_attribute("aria-selected", "true")
    # Its box is highlighted, and no other one.
    expect(there.page.locator("#picture g.chosen")).to_have_count(1)
    expect(there.page.locator("#picture g").nth(1)).to_have_class("chosen")
    keys.press("End")
    expect(there.page.get_by_role("option", name="Face 12,")).to_be_focused()
    keys.press("Tab")
    expect(there.page.get_by_role("button", name="Save this face")).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert there.page.evaluate(outline) == "solid"


def tab_to(there, target, most=60):
    """By the tabulator alone."""
    for _ in range(most):
        there.page.keyboard.press("Tab")
        if target.evaluate("(node) => node === document.activeElement"):
            return
    raise AssertionError(f"the tabulator does not come to {target}")
