"""The page of a survey, as a browser and a reader find it: one file, safe, with every number leading somewhere."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import viz
from viz.reports.survey.embedded import BUDGET, WEIGHT, embed
from viz.reports.survey.tables import tables

from .asked import Asked, a_full_survey, some, worth_of

unlaid = pytest.mark.usefixtures("unlaid")
plain = pytest.mark.usefixtures("unlaid", "coarse")

MOST = 20_000_000  # bytes of a page


class Page(HTMLParser):
    """What the tests look at: tags with their attributes, texts of cells and sentences, sources, scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def said(self, tag):
        return [text for name, text in self.texts if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight photographs, 640 × 480 px, image0.png to image7.png."""
    place = tmp_path_factory.mktemp("photographs")
    ramp = np.linspace(0, 255, 640, dtype=np.uint8)
    for number in range(8):
        pixels = np.stack([np.roll(np.tile(ramp, (480, 1)), 40 * number, 1)] * 3, -1)
        Image.fromarray(pixels).save(place / f"image{number}.png")
    return place


def images(folder, **more):
    return [{"number": number, "image": str(folder / f"image{number}.png")} | more for number in range(8)]


@pytest.fixture
def coarse(monkeypatch):
    """Figures of few pixels: for what stands on a page beside them."""
    monkeypatch.setattr("viz.reports.survey.report.DPI", 30)


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    """The page of a survey with all that there can be on it."""
    given = {"images": images(folder), "ablation": True, "worth": worth_of({("P3", None): -0.1, ("P3", "cat"): -0.002})}
    survey = a_full_survey(**given)
    path = viz.survey_report(survey, tmp_path_factory.mktemp("page"), compare=a_full_survey(images=images(folder)))
    assert path.name == "survey.html"
    return path.read_text(encoding="utf-8")


def held(page):
    (found,) = re.findall(r'<script type="application/json" id="photographs">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_the_page_is_one_file_that_asks_for_nothing(page):
    read = Page(page)
    assert read.open == []
    sources = [attrs["src"] for _, attrs in read.tags if "src" in attrs]
    assert sources and all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(attrs["href"].startswith("#") for attrs in read.of("a")) and not read.of("link")
    assert "default-src 'none'" in page


def test_links_lead_to_headings_and_every_picture_is_told(page):
    read = Page(page)
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in read.of("a")} <= set(ids)
    assert all(attrs["alt"] for attrs in read.of("img"))
    assert {attrs["data-rows"] for attrs in read.of("input")} <= set(ids)


def test_it_opens_with_the_verdict(page):
    assert (
        Page(page).said("p")[0]
        == "11 of 20 objects are found (55\u00a0%), and 11 of 20 detections are right (55\u00a0%), at confidence 0.25."
    )


def test_every_number_leads_to_as_many_rows_as_it_says(page):
    """As the script chooses rows: by equality of columns, for thresholds above "from"."""
    data, told = held(page), Page(page)
    led = [attrs for attrs in told.of("button") if attrs.get("class") == "leads"]
    words = [text for tag, text in told.texts if tag == "button"]
    assert len(led) > 40
    numbers = [word for word in words if re.fullmatch(r"\d+|\d+ % \(\d+/\d+\)", word)]
    counts = [int(re.findall(r"\d+", number)[-1]) for number in numbers]
    asked = [
        attrs
        for attrs in led
        if attrs["data-table"] != "images" and not _named(attrs) and "from" not in attrs["data-where"]
    ]
    assert len(counts) >= len(asked) > 30
    found = [len(chosen(data, attrs["data-table"], json.loads(attrs["data-where"]))) for attrs in asked]
    expected = [
        count
        for count, attrs in zip(counts, [a for a in led if a["data-table"] != "images" and not _named(a)], strict=True)
        if "from" not in attrs["data-where"]
    ]
    assert found == expected


def _named(attrs):
    """Whether a button is a name in the table of worth, which leads to what was found."""
    where = json.loads(attrs["data-where"])
    return where.get("found") is True


def chosen(data, table, where):
    fields = data["fields"][table]
    return [
        row for row in data["rows"][table] if all(row[0][fields.index(name)] == value for name, value in where.items())
    ]


def test_rows_know_their_place_and_their_marks(page):
    data = held(page)
    fields = data["fields"]["objects"]
    worst = data["rows"]["objects"][0]
    values = dict(zip(fields, worst[0], strict=True))
    assert values["found"] is False and values["change"] == "missed"
    left, top, side = worst[2]
    x1, y1, x2, y2, color, width = worst[3][0]
    assert left <= x1 < x2 <= left + side and top <= y1 < y2 <= top + side
    assert (color, width) == ("#FFFFFF", 1)
    assert data["images"][str(values["number"])]["width"] == 640


def test_small_things_have_a_close_up_and_large_ones_none(page):
    data = held(page)
    at = data["fields"]["objects"].index("size")
    close = {row[0][at]: row[4] is not None for row in data["rows"]["objects"]}
    assert close == {"small": True, "large": False}


@plain
def test_names_are_escaped_wherever_they_stand(folder, tmp_path):
    name = "<script>alert('\"&</script>"
    given = [image | {"image": str(folder / "image0.png")} for image in images(folder)[:1]]
    given.append({"number": 1, "image": f"{name}.jpg", "error": name})
    survey = Asked(
        some(12, number=0, class_id=0), some(12, number=0, class_id=0, error="background"), given, names={0: name}
    )
    text = viz.survey_report(survey, tmp_path / "page.html", title=name).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    read = Page(text)
    assert len(read.of("script")) == 2 and name in read.said("td") and name in read.said("h1")
    assert held(text)["rows"]["objects"][0][0][1] == name
    assert any(
        json.loads(attrs["data-where"]).get("class_name") == name
        for attrs in read.of("button")
        if "data-where" in attrs
    )


def test_the_budget_of_bytes_is_kept_whatever_the_photographs(tmp_path):
    noise = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(noise.integers(0, 256, (700, 900, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    pictures = [{"number": n, "image": str(tmp_path / f"{n}.png"), "width": 900, "height": 700} for n in range(4)]
    objects = [{"number": n, "box": (20 * i, 20, 20 * i + 9, 29)} for n in range(4) for i in range(9)]
    shown = embed(Asked(objects, [], pictures), most=100, budget=3 * WEIGHT)
    kept = [image["src"] for image in shown.images.values()] + [row[4] for row in shown.rows["objects"] if row[4]]
    assert len(shown.images) == 3 and shown.left_out == 1
    assert sum(map(len, set(kept))) <= 3 * WEIGHT * 4 / 3
    assert {row[0][0] for row in shown.rows["objects"]} == set(shown.images)


def test_a_full_budget_leaves_a_page_below_its_limit():
    assert BUDGET * 4 / 3 < 0.85 * MOST
    assert BUDGET >= 128 * WEIGHT * 2


def test_the_images_with_most_mistakes_are_kept(folder):
    objects = [*some(3, number=2), *some(1, number=4), *some(5, number=1, found=True)]
    shown = embed(Asked(objects, some(3, number=5, error="background"), images(folder)), most=3)
    assert list(shown.images) == [2, 5, 4] and shown.left_out == 5


@plain
def test_photographs_that_are_gone_are_listed(folder, tmp_path):
    given = [
        *images(folder)[:1],
        {"number": 1, "image": "gone.jpg"},
        {"number": 2, "image": "torn.jpg", "error": "no JPEG", "label_problems": 2},
    ]
    survey = Asked([*some(1, number=0), *some(1, number=1)], [], given)
    read = Page(viz.survey_report(survey, tmp_path).read_text(encoding="utf-8"))
    assert "gone.jpg" in read.said("code")
    assert {"torn.jpg", "no JPEG", "2"} <= set(read.said("td"))


@plain
@pytest.mark.parametrize(
    "survey", [Asked(), Asked([], some(3), 3, truth=False), Asked(some(3))], ids=["empty", "no labels", "no detections"]
)
def test_a_page_is_written_of_whatever_there_is(survey, tmp_path):
    read = Page(viz.survey_report(survey, tmp_path).read_text(encoding="utf-8"))
    assert read.open == [] and read.said("p")


def test_tables_without_rows_are_left_out():
    assert [table.name for table in tables(Asked([], some(2), truth=False))] == ["images"]
    assert "duplicates" not in [table.name for table in tables(Asked(some(3)))]


def test_the_place_must_be_there_and_most_a_number(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        viz.survey_report(Asked(), tmp_path / "none" / "page.html")
    with pytest.raises(ValueError, match="most counts photographs"):
        viz.survey_report(Asked(), tmp_path, most=-1)


@unlaid
def test_no_photograph_is_embedded_where_none_is_wanted(folder, tmp_path):
    text = viz.survey_report(a_full_survey(images=images(folder)), tmp_path, most=0).read_text(encoding="utf-8")
    assert held(text)["images"] == {} and len(text) < 3_000_000
