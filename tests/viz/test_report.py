"""The folder of ``viz.report``: what is in it, that it is whole or not there, and what a browser would make of it."""

import errno
import re
import sys
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from PIL import Image

import anatomy
import surgery
import viz
from viz.reports.page import COLUMNS

unlaid = pytest.mark.usefixtures("unlaid")

QUICK = {"formats": "png", "figures": ("detections",), "dpi": 50, "progress": False}
TABLE = QUICK | {"figures": "distribution", "best": 0}  # no figure at all
VOID = {"meta", "img", "input", "link", "br"}


class Page(HTMLParser):
    """The tags of a page; that each is closed, where it was opened; the text of headings of images and of cells."""

    def __init__(self, path: Path):
        super().__init__()
        self.open, self.tags, self.source = [], [], path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def three(stage, hot):
    """A trace with a detection on every level, one with a single class, and one without any."""
    found = [hot(0, 2, 3, 0, 3.0, 2.0), hot(2, 3, 2, 1, 2.0), hot(1, 6, 9, 1, 1.5)]
    traces = [
        stage((128, 192), found, imgsz=192),
        stage((128, 192), [hot(1, 2, 3, 2), hot(0, 9, 9, 2)]),
        stage((64, 96)),
    ]
    for name, trace in zip(("street", "park", "sky"), traces, strict=True):
        trace.path = f"photos/{name}.jpg"
    return traces


def entries(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_a_report_of_one_trace_holds_every_figure_in_every_format(three, tmp_path):
    place = viz.report(three[0], tmp_path / "out", ("svg", "png", "pdf"), best=2, dpi=60)
    assert place == tmp_path / "out"
    assert entries(place) == {"index.html", "detections.csv", "detections.parquet", "images", "report.json"}
    levels = ("P3", "P4", "P5")
    names = {"detections", "heatmaps", *(f"{kind}_{level}" for kind in ("heatmap", "anchor_grid") for level in levels)}
    names |= {"distribution_0", "distribution_1"}
    folder = place / "images" / "street"
    assert entries(folder) == {f"{name}.{ending}" for name in names for ending in ("png", "pdf", "svg")}
    for path in folder.iterdir():
        if path.suffix == ".pdf":
            assert path.read_bytes().startswith(b"%PDF") and b"%%EOF" in path.read_bytes()[-8:]
        elif path.suffix == ".svg":
            ElementTree.parse(path)
        else:
            with Image.open(path) as picture:
                assert np.asarray(picture.convert("L")).std() > 5
    assert entries(tmp_path) == {"out"}


def test_tables_hold_every_detection_of_every_image(three, tmp_path):
    place = viz.report(iter(three), tmp_path / "a[1]", **TABLE)
    table = pl.read_parquet(place / "detections.parquet", glob=False)
    assert table.columns[:6] == ["image", "path", "width", "height", "detection", "class_name"]
    assert table["image"].to_list() == ["street"] * 3 + ["park"] * 2
    assert table["path"][3] == "photos/park.jpg" and table.row(0)[2:5] == (192, 128, 0)
    expected = pl.concat([trace.to_df() for trace in three])
    assert table.select(expected.columns).equals(expected)
    assert dict(table.select(expected.columns).schema) == dict(expected.schema)
    assert pl.read_csv((place / "detections.csv").read_bytes()).shape == table.shape


@unlaid
def test_no_detection_at_all_gives_empty_tables_with_their_types(three, tmp_path):
    place = viz.report(three[2], tmp_path / "out", "png", dpi=50)
    table = pl.read_parquet(place / "detections.parquet")
    assert len(table) == 0 and table.schema["confidence"] == pl.Float32
    assert (place / "detections.csv").read_text().count("\n") == 1
    assert "None: no detection in any image." in Page(place / "index.html").source
    assert not list(place.rglob("distribution*"))


@unlaid
def test_the_page_is_whole_needs_no_network_and_describes_its_pictures(three, tmp_path):
    place = viz.report(three, tmp_path / "out", **QUICK | {"figures": ("detections", "heatmaps")})
    page = Page(place / "index.html")
    pictures = page.all("img")
    assert len(pictures) == 3 * (2 + 3)
    assert all(picture["src"].startswith("data:image/jpeg;base64,") and picture["alt"] for picture in pictures)
    assert all(picture["loading"] == "lazy" and int(picture["width"]) > 0 for picture in pictures)
    for link in page.all("a"):
        name = link["href"]
        assert name.startswith("#image-") or (place / name).is_file()
    assert not re.search(r"""(src|href)=["']?(https?:|//)|@import|url\(""", page.source)
    assert [image["id"] for image in page.all("article")] == ["image-1", "image-2", "image-3"]
    assert page.source.count('<tr><td class="name"><a') == 5


def test_headings_of_tables_are_buttons_and_levels_have_their_colours(three, tmp_path):
    page = Page(viz.report(three, tmp_path / "out", **TABLE) / "index.html")
    assert len(page.all("button")) == len(COLUMNS) + 1 + 3 + 1
    spans = [span["style"] for span in page.all("span") if span.get("class") == "level"]
    assert {f"--c:{viz.level_color(name)}" for name in ("P3", "P4", "P5")} == set(spans)
    text = re.sub(r"<[^>]+>", " ", page.source)
    assert re.search(r"all\s+2\s+2\s+1\s+5", text)


@unlaid
def test_names_of_classes_and_files_are_escaped(stage, hot, tmp_path):
    trace = stage((64, 96), [hot(0, 2, 3)])
    trace.names = {0: '<script>alert("1")</script>', 1: "a,b", 2: "c"}
    trace.path = 'x/<img src=x onerror=alert(1)>&"\udcff.jpg'
    page = Page(viz.report(trace, tmp_path / "out", **QUICK) / "index.html")
    assert len(page.all("script")) == 1 and len(page.all("img")) == 1
    assert "&lt;script&gt;" in page.source
    table = pl.read_parquet(tmp_path / "out" / "detections.parquet")
    assert table["class_name"].to_list() == [trace.names[0]]


@unlaid
def test_images_of_one_name_get_folders_of_their_own(stage, tmp_path):
    paths = ["a/bus.jpg", "b/bus.jpg", "c/BUS.png", "bus-2.jpg", "d/..jpg", "é x#y?.jpg", "z" * 300 + ".jpg"]
    traces = [stage((64, 96)) for _ in paths]
    for trace, path in zip(traces, paths, strict=True):
        trace.path = path
    place = viz.report(traces, tmp_path / "out", **QUICK)
    assert entries(place / "images") == {"bus", "bus-2", "BUS-3", "bus-2-2", "image", "é_x_y_", "z" * 80}
    links = [link["href"] for link in Page(place / "index.html").all("a")]
    assert "images/%C3%A9_x_y_/detections.png" in links


def test_a_thousand_detections_are_one_table(stage, hot, tmp_path):
    cells = [hot(0, row, col, (row + col) % 3, 1.0, 1.0) for row in range(25) for col in range(40)]
    place = viz.report(stage((200, 320), cells, imgsz=320), tmp_path / "out", **TABLE)
    assert Page(place / "index.html").source.count('<tr><td class="name"><a') == 1000
    assert len(pl.read_parquet(place / "detections.parquet")) == 1000


def test_the_page_says_where_its_table_ends(three, tmp_path, monkeypatch):
    monkeypatch.setattr("viz.reports.writer.ROWS", 2)
    page = Page(viz.report(three, tmp_path / "out", **TABLE) / "index.html")
    assert page.source.count('<tr><td class="name"><a') == 2
    assert "The first 2 of 5 rows." in page.source
    assert len(pl.read_csv(tmp_path / "out" / "detections.csv")) == 5


@unlaid
def test_pictures_in_the_page_get_smaller_as_images_get_many(three, tmp_path, monkeypatch):
    monkeypatch.setattr("viz.reports.writer.SIDES", ((1, 300, 200), (2, 200, None), (None, 100, None)))
    place = viz.report(three, tmp_path / "out", **QUICK | {"figures": ("detections", "heatmaps"), "dpi": 100})
    widths = [int(picture["width"]) for picture in Page(place / "index.html").all("img")]
    assert widths == [300, 300, 200, 200, 200, 200, 200, 100, 100]


def test_edits_thresholds_and_title_are_told(model, picture, tmp_path):
    trace = anatomy.trace(model, picture, imgsz=192, conf=0.3)
    surgery.shift_classes(model, "P4", 5)
    surgery.zero_classes(model, "all", [4, 5])
    surgery.keep_classes(model, ["cross", "disc"])  # the others are told by the names that they had
    about = {"split": "<night>"}
    place = viz.report(trace, tmp_path / "out", model=model, title="Night & day", about=about, **TABLE)
    assert surgery.read_recipe(place / "recipe.json") == surgery.history(model)
    text = re.sub(r"<[^>]+>", "", Page(place / "index.html").source)
    assert "shift_classes on P4; k = 5" in text
    assert "zero_classes on P3, P4, P5; classes star, cross; bias = silence" in text
    assert "Night &amp; day" in text and "&lt;night&gt;" in text and "at least 0.3" in text
    surgery.reset(model)
    viz.report(trace, tmp_path / "plain", model=model, **TABLE)
    assert "None: the class rows are as they were" in (tmp_path / "plain" / "index.html").read_text()
    assert (tmp_path / "plain" / "recipe.json").read_text().strip() == "[]"


@unlaid
def test_a_head_without_distributions_has_no_such_figures(stage, hot, tmp_path):
    place = viz.report(stage((64, 96), [hot(0, 2, 3)], reg_max=1), tmp_path / "out", "png", dpi=50)
    assert not list(place.rglob("distribution*"))
    assert "reg_max = 1" in (place / "index.html").read_text()


@unlaid
def test_traces_are_taken_one_at_a_time(three, tmp_path):
    taken, written = [], []

    def source():
        for trace in three:
            taken.append(trace)
            written.append(len(list(tmp_path.glob(".out-*.tmp/images/*/detections.png"))))
            yield trace

    viz.report(source(), tmp_path / "out", **QUICK)
    assert written == [0, 1, 2]
    assert len(taken) == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"formats": ("png", "gif")}, ValueError, "Every format must be one of 'png', 'pdf', 'svg', but 'gif'"),
        ({"formats": ()}, ValueError, "none was given"),
        ({"figures": ("heatmap",)}, ValueError, "Every figure must be one of .* but 'heatmap' was given"),
        ({"best": -1}, ValueError, "best, the number of distributions and maps, must be 0 or more"),
        ({"dpi": 0}, ValueError, "dpi must be at least 1"),
        ({"traces": "photos/"}, TypeError, r"str was given. Make them with anatomy.trace"),
        ({"traces": None}, TypeError, "NoneType was given"),
        ({"traces": [1]}, TypeError, "entry 0 is a int"),
        ({"traces": []}, ValueError, "at least one trace, but the iterable was empty"),
        ({"traces": iter(())}, ValueError, "Nothing was written"),
        ({"out_dir": "missing/out"}, FileNotFoundError, "There is no folder .*missing'. Make it first"),
        ({"model": 3}, TypeError, "int is no detector"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(three, tmp_path, monkeypatch, change, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        viz.report(**{"traces": three, "out_dir": "out", **QUICK, **change})
    assert entries(tmp_path) == set()


@unlaid
def test_what_exists_is_replaced_only_when_asked_and_only_a_report(three, tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    viz.report(three[0], place, **QUICK)  # an empty folder has nothing to lose
    before = (place / "index.html").read_bytes()
    with pytest.raises(FileExistsError, match="exists already and is not empty"):
        viz.report(three[1], place, **QUICK)
    assert (place / "index.html").read_bytes() == before
    viz.report(three[1], place, overwrite=True, **QUICK)
    assert entries(place / "images") == {"park"}
    (place / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"replaces a report and nothing else, but .* also holds 'notes\.txt'"):
        viz.report(three[0], place, overwrite=True, **QUICK)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="is a file"):
        viz.report(three[0], tmp_path / "file", overwrite=True, **QUICK)
    assert entries(tmp_path) == {"out", "file"} and (place / "notes.txt").is_file()


def test_a_folder_that_cannot_be_written_is_named(three, tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(OSError, match=r"No folder can be made in .* \(.*Permission denied\)"):
        viz.report(three, tmp_path / "out", **QUICK)


@unlaid
def test_a_full_disk_leaves_the_old_report_whole(three, tmp_path, monkeypatch):
    place = viz.report(three[0], tmp_path / "out", **QUICK)
    before = {path: path.read_bytes() for path in place.rglob("*.*")}
    write = Path.write_bytes

    def fill(path, data):
        if "park" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match=r"No space left on device\); what was there before is whole"):
        viz.report(three, place, overwrite=True, **QUICK)
    assert {path: path.read_bytes() for path in place.rglob("*.*")} == before
    assert entries(tmp_path) == {"out"}


@unlaid
def test_a_swap_that_fails_puts_the_old_report_back_and_keeps_the_new_one(three, tmp_path, monkeypatch):
    place = viz.report(three[0], tmp_path / "out", **QUICK)
    rename, calls = sys.modules["os"].rename, []

    def once(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("os.rename", once)
    with pytest.raises(OSError, match=r"is finished, but stands in '.*out-2'.*Input/output error"):
        viz.report(three[1], place, overwrite=True, **QUICK)
    assert entries(tmp_path) == {"out", "out-2"}
    assert entries(place / "images") == {"street"} and entries(tmp_path / "out-2" / "images") == {"park"}


def stops_after(traces, error):
    yield from traces
    raise error


@unlaid
@pytest.mark.parametrize(
    ("error", "told"), [(KeyboardInterrupt(), "it was interrupted"), (ValueError("bad <file>"), "bad &lt;file&gt;")]
)
def test_what_was_finished_before_an_interruption_becomes_a_report_that_says_so(three, tmp_path, error, told):
    with pytest.raises(type(error)) as caught:
        viz.report(stops_after(three[:2], error), tmp_path / "out", **QUICK)
    assert "The report of the 2 images that were finished is" in caught.value.__notes__[0]
    (warning,) = re.findall(r'<p class="warn"[^>]*>(.*?)</p>', Page(tmp_path / "out" / "index.html").source)
    assert warning.startswith("This report is incomplete: it ends after image 2") and told in warning
    assert entries(tmp_path) == {"out"} and entries(tmp_path / "out" / "images") == {"street", "park"}


@unlaid
def test_an_interrupted_report_does_not_replace_a_whole_one(three, tmp_path):
    place = viz.report(three, tmp_path / "out", **QUICK)
    with pytest.raises(KeyboardInterrupt):
        viz.report(stops_after(three[:1], KeyboardInterrupt()), place, overwrite=True, **QUICK)
    assert entries(tmp_path) == {"out", "out-2"} and len(entries(place / "images")) == 3


def test_an_interruption_before_the_first_image_leaves_nothing(three, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        viz.report(stops_after([], KeyboardInterrupt()), tmp_path / "out", **QUICK)
    assert entries(tmp_path) == set()


@unlaid
@pytest.mark.parametrize("where", ["sheets.write", "page.image_section"])
def test_an_image_that_was_interrupted_half_way_leaves_no_trace(three, tmp_path, monkeypatch, where):
    module, name = where.split(".")
    holder = sys.modules["viz.reports.writer" if name == "write" else f"viz.reports.{module}"]
    real, calls = getattr(holder, name), []

    def interrupted(*args):
        calls.append(args)
        done = real(*args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(holder, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        viz.report(three, tmp_path / "out", **QUICK)
    place = tmp_path / "out"
    assert entries(place / "images") == {"street"}
    assert set(pl.read_csv(place / "detections.csv")["image"]) == {"street"}
    page = Page(place / "index.html")
    assert len(page.all("article")) == 1 and page.source.count('<tr><td class="name"><a') == 3


@unlaid
def test_a_stream_is_closed_when_its_report_ends_early(three, tmp_path, monkeypatch):
    source = (trace for trace in chain(three[:1], [0], three))
    with pytest.raises(TypeError, match="entry 1 is a int"):
        viz.report(source, tmp_path / "out", **QUICK)
    assert list(source) == []


def test_a_bar_is_shown_for_several_and_only_when_wanted(three, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules["viz.reports.report"], "BAR", {"desc": "report"})
    viz.report(three[0], tmp_path / "one", **TABLE | {"progress": True})
    viz.report(three, tmp_path / "silent", **TABLE)
    assert capsys.readouterr().err == ""
    viz.report(three, tmp_path / "shown", **TABLE | {"progress": True})
    assert "3/3" in capsys.readouterr().err
