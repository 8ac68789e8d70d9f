"""The explorer as a reader meets it: a notebook in JupyterLab, run, and its panel used with mouse and keyboard."""

import re
import shutil
from pathlib import Path

import pytest

import surgery
import viz
from detectors import demo_scene, demo_weights
from viz.explorer.words import table_lines

pytestmark = pytest.mark.long

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATIENCE = 60_000  # ms
FAILED = ".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']"
COMPLAINED = ".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']"
LAST_CELL_HAS_RUN = r"""failed => {
    const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")];
    return /\[\d+\]:/.test(prompts.at(-1).textContent) || document.querySelector(failed) !== null;
}"""
PIXELS = "document.querySelector('.workbench .jupyter-matplotlib-canvas-div canvas').toDataURL()"


@pytest.fixture
def run(lab, browser, shoot):
    """``run(name)``: the page on which this notebook has run from top to bottom; its end is kept as a picture."""
    context = browser.new_context(viewport={"width": 1200, "height": 1250})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)

    def open_and_run(name: str):
        shutil.copy(NOTEBOOKS / name, lab.folder)
        page.goto(f"{lab.address}/lab/tree/{name}?token={lab.token}&reset")
        page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()  # what is run earlier is lost
        page.keyboard.press("Control+b")  # the file browser gives its room to the notebook
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        page.wait_for_function(LAST_CELL_HAS_RUN, arg=FAILED)
        assert page.locator(f"{FAILED}, {COMPLAINED}").all_inner_texts() == []
        return page

    yield open_and_run
    shoot(page, "the last page")
    context.close()


@pytest.fixture
def twin():
    """An explorer of this process on the same detector and scene as the notebook's."""
    return viz.Explorer(surgery.load(demo_weights()), demo_scene().image[..., ::-1])


def lines(explorer) -> list[str]:
    return table_lines(explorer.rows())[1]


@pytest.mark.parametrize("name", ["01_which_level.ipynb"])
def test_a_notebook_runs_in_the_browser(run, shoot, name):
    if not (NOTEBOOKS / name).is_file():
        pytest.skip(f"there is no notebook {name}")
    shoot(run(name), Path(name).stem)


def test_slider_click_undo_and_an_error(run, shoot, twin):
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE // 2)
    page = run("04_explorer.ipynb")
    panel = page.locator(".workbench").first
    panel.locator("canvas").first.wait_for()
    panel.evaluate("element => element.scrollIntoView()")
    options, history = panel.locator(".workbench-table option"), panel.locator(".workbench-history")
    facts = panel.locator(".workbench-facts")

    expect(options).to_have_text(lines(twin))
    expect(history).to_have_text("No edit.")
    expect(panel.locator("select").first).to_have_js_property("selectedIndex", 0)  # any class
    expect(facts).to_contain_text(f"{twin.facts().class_name} {twin.facts().confidence:.2f}")
    shoot(page, "1 opened")

    untouched = page.evaluate(PIXELS)
    panel.locator("button", has_text=re.compile("^bias$")).click()
    handle = panel.locator(".workbench-bias .noUi-handle")
    handle.wait_for()
    for _ in range(20):
        handle.press("ArrowLeft")
    twin.slide("bias", -2.0)
    expect(history).to_have_text("all levels: every class biased by -2.00 (live)")
    expect(options).to_have_text(lines(twin))
    expect(panel.locator(".workbench-note")).to_contain_text("biased by -2.00")
    page.wait_for_function(f"before => {PIXELS} !== before", arg=untouched)
    shoot(page, "2 slider moved")

    found, shape = twin.trace.detections, twin.trace.image.shape
    chosen = found.level_name.index("P5")
    x, y = found.xyxy[chosen, [2, 1]] + (-8, 8)  # its upper right corner, where no other box lies
    place = panel.locator("canvas").last.bounding_box()
    page.mouse.click(place["x"] + x / shape[1] * place["width"], place["y"] + y / shape[0] * place["height"])
    twin.pick(x, y)
    told = twin.facts()
    expect(facts).to_contain_text(f"{told.class_name} {told.confidence:.2f}")
    expect(facts).to_contain_text(f"cell ({told.row}, {told.col})")
    expect(facts).to_contain_text(told.verdict)
    expect(history).to_have_text("all levels: every class biased by -2.00")
    shoot(page, "3 detection clicked")

    panel.locator("button", has_text="Undo").click()
    twin.undo()
    expect(history).to_have_text("No edit.")
    expect(options).to_have_text(lines(twin))
    expect(panel.locator(".workbench-note")).to_contain_text("Taken back: all levels: every class biased by -2.00.")
    shoot(page, "4 undone")

    file = panel.locator("input[type=text]:visible").last
    file.fill("no/such/folder/edits.json")
    file.press("Tab")
    panel.locator("button", has_text="Save recipe").click()
    expect(panel.locator(".workbench-error")).to_contain_text("There is no folder 'no/such/folder'")
    shoot(page, "5 error shown")
