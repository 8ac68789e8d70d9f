"""How results show themselves: pieces, their text, and what is escaped; many rows stay short."""

from dataclasses import dataclass

import numpy as np
import torch

from anatomy.shown import Bar, Picture, Record, Shown, Table, Told, Words, brief


@dataclass(frozen=True, repr=False)
class Found(Shown):
    rows: int

    def _title(self):
        return f"{self.rows} <rows>"

    def _parts(self):
        rows = ((i, f"<b>{i}</b>", 0.5) for i in range(self.rows))
        return [Bar([("P3", 2, "#111"), ("P4", 0, "#222")]), Table(("", "name", "score"), rows, self.rows, ["#111"])]


@dataclass(frozen=True, repr=False)
class Said(Told):
    words: str

    def __str__(self):
        return self.words


@dataclass(frozen=True, repr=False)
class Plain(Record):
    name: str
    values: object


def test_a_table_shows_the_first_rows_and_counts_the_others():
    text = str(Found(224)).splitlines()
    assert text[:4] == ["224 <rows>", "P3: 2, P4: 0", "    name       score", " 0  <b>0</b>     0.5"]
    assert text[-2:] == ["11  <b>11</b>    0.5", "and 212 more"]
    assert len(text) == 3 + 12 + 1
    assert repr(Found(224)) == "Found(224 <rows>)"


def test_a_view_escapes_what_it_is_told_and_gives_a_row_the_colour_of_its_level():
    html = Found(2)._repr_html_()
    assert "<b>Found</b> 2 &lt;rows&gt;" in html and "&lt;b&gt;0&lt;/b&gt;" in html and "<b>0" not in html
    assert html.count('<tr class="level" style="--level: #111">') == 1
    assert 'style="--level: #111; flex: 2"' in html and "flex: 0" not in html
    assert "and " not in html.partition("</style>")[2]


def test_a_result_with_words_of_its_own_has_its_first_line_as_its_title():
    said = Said("what matters:\n  <more>")
    assert repr(said) == "Said(what matters)" and "<pre>  &lt;more&gt;</pre>" in said._repr_html_()
    assert "<pre>" not in Said("a line")._repr_html_()
    assert Words([str(i) for i in range(50)]).text().splitlines()[-2:] == ["39", "and 10 more lines"]


def test_values_are_told_in_few_characters():
    assert brief(None) == "–" and brief(1 / 3) == "0.3333" and brief("two\nlines") == "two lines"
    assert (
        brief(np.zeros((3, 4), np.float32)) == "float32 3×4" and brief(torch.zeros(5, dtype=torch.int64)) == "int64 5"
    )
    assert brief(np.array([1.5, 2])) == "1.5 2" and brief(torch.tensor(3)) == "3"
    assert brief((torch.zeros(2),) * 3) == "tuple of 3" and brief({"a": 1}) == "{'a': 1}"
    assert repr(Plain("x", np.zeros(9))) == "Plain(name=x, values=float64 9)" == str(Plain("x", np.zeros(9)))
    long = Plain("x" * 250, 1)
    assert str(long).splitlines() == ["Plain", f"  name: {'x' * 250}", "  values: 1"]


def test_a_picture_is_small_and_keeps_its_shape():
    picture = Picture(np.zeros((200, 720, 3), np.uint8), [((0, 0, 10, 20), "#111")])
    assert picture.size == (360, 100) and picture.shape == (200, 720) and picture.text() == ""
    assert Picture(np.zeros((1, 9000, 3), np.uint8)).size == (360, 1)
