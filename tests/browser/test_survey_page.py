"""The page of a survey in a browser: numbers lead to photographs, tables sort and filter, by keyboard too."""

import numpy as np
import pytest
from PIL import Image

import viz
from tests.viz.survey.asked import Asked, some

pytestmark = pytest.mark.long


@pytest.fixture
def page(browser, tmp_path):
    """The page of a survey of two photographs, and the errors of its script."""
    for number in range(2):
        Image.fromarray(np.full((480, 640, 3), 90 * number, np.uint8)).save(tmp_path / f"{number}.png")
    images = [{"number": number, "image": str(tmp_path / f"{number}.png")} for number in range(2)]
    objects = [
        *some(30, number=0, stage="confidence", box=(10, 10, 20, 20)),
        *some(5, number=1, found=True, class_name="dog", box=(10, 10, 90, 90)),
    ]
    path = viz.survey_report(Asked(objects, some(4, number=1, level=1, error="background"), images), tmp_path)
    opened = browser.new_page(viewport={"width": 1000, "height": 800})
    faults = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(path.as_uri())
    yield opened
    assert faults == []
    opened.close()


def test_a_number_leads_to_its_photographs_and_back(page, shoot):
    from playwright.sync_api import expect

    assert page.locator(".tiles[data-table=objects] .tile").count() == 12
    cell = page.locator("#rows-recall .leads").first
    cell.focus()
    page.keyboard.press("Enter")
    tiles = page.locator("dialog .tile")
    assert tiles.count() == 24 and "30 on the photographs" in page.locator("#behind-note").text_content()
    page.locator("dialog .further").click()
    assert tiles.count() == 30 and not page.locator("dialog .further").is_visible()
    shoot(page, "survey_tiles")
    tiles.first.click()
    assert page.locator("dialog .whole").count() == 1 and page.locator("#behind-title").text_content() == "0.png"
    page.keyboard.press("Escape")
    expect(tiles).to_have_count(30)  # the page hears of the key a moment later
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_a_mark_lies_where_its_object_does(page):
    """The close-up is a square of 64 px; the object from 10 to 20 px of it is a sixth to a third of the tile."""
    tile = page.locator(".tiles[data-table=objects] .tile").first.locator("svg")
    outer, mark = tile.bounding_box(), tile.locator("rect").nth(1).bounding_box()
    scale = outer["width"] / 64
    assert mark["x"] - outer["x"] == pytest.approx(10 * scale, abs=2)
    assert mark["y"] - outer["y"] == pytest.approx(10 * scale, abs=2)
    assert mark["width"] == pytest.approx(10 * scale, abs=4)


def test_an_image_leads_to_its_photograph_with_everything_on_it(page):
    page.locator("#rows-images .leads[data-table=images]").nth(1).click()
    assert page.locator("dialog .whole rect").count() == 2 * (5 + 4)


def test_tables_sort_by_the_numbers_in_their_cells(page):
    table = page.locator("#rows-classes")
    table.locator("th button").nth(1).click()
    assert [text.strip() for text in table.locator("tbody td:first-child").all_text_contents()][:2] == ["dog", "cat"]
    table.locator("th button").nth(1).click()
    assert table.locator("th").nth(1).get_attribute("aria-sort") == "ascending"
    assert table.locator("tbody td:first-child").first.text_content().strip() == "cat"
