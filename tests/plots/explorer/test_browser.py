"""The page in a headless Chromium, without a network: it opens, brushes, slides, exports, and runs no name as code."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from moo.base import Candidates
from moo.benchmarks.perf.chromium import Chromium, find_chromium
from moo.benchmarks.perf.explorer import NEXT_FRAME, READY
from moo.benchmarks.perf.plots import made, sphere
from moo.plots import explore
from moo.seeding import numpy_generator
from moo.space import Space, categorical, integer, real

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no Chromium is on the PATH")

EVIL = "</script><script>alert(1)</script>"
SPACE = Space((real(0, 1, name="x1"), integer(0, 6, name="layers"), categorical(["steel", "=1+1", EVIL], name="shell")))
N = 60


def mixed(m=4, seed=0, method="nsga2", factor=1.0, **options):
    """A front with solutions of all kinds of columns, one value of them unknown, and additions that it dominates."""
    result = made(factor * sphere(N, m, seed), method, seed, **options)
    stream = numpy_generator(seed, "mixed")
    rows = [stream.random(N), stream.integers(0, 7, N), stream.integers(0, 3, N)]
    solutions = torch.tensor(np.column_stack(rows).astype(float))
    solutions[3, 0] = float("nan")
    front = Candidates.of(solutions, result.objectives, None, used=torch.arange(1, N + 1))
    worse = torch.tensor([1.2 if word == "min" else 0.8 for word in result.config["directions"]])
    more = Candidates.of(solutions, worse * result.objectives, None, used=torch.arange(1, N + 1))
    config = {**result.config, "space": SPACE.to_json(), "kind": "vector"}
    return replace(result, front=front, additions=more, config=config)


def named(names, problem="fragments", **options):
    """A front of constructed solutions that read so."""
    result = made(sphere(len(names), 2, 0), problem=problem, **options)
    solutions = torch.zeros(len(names), 1)
    front = Candidates.of(solutions, result.objectives, None, object=np.array(names))
    config = {**result.config, "kind": "construction", "registered": True}
    return replace(result, front=front, additions=front.rows(slice(0)), config=config)


@pytest.fixture(scope="module")
def browser():
    with Chromium() as found:
        yield found


@pytest.fixture
def opened(browser, tmp_path):
    """Opens pages of results; none may complain, ask the network for anything, or say that a name was run."""
    pages = []

    def open_page(results, **size):
        page = browser.open(explore(results, tmp_path / f"{len(pages)}.html"), **size)
        pages.append(page)
        page.wait_for(READY)
        return page

    yield open_page
    for page in pages:
        assert page.complaints == []
        assert page.requests == []
        assert page.dialogs == []
        page.close()


def settle(page):
    page.evaluate(NEXT_FRAME)


def text(page, selector):
    return page.evaluate(f"document.querySelector({selector!r}).textContent")


def selected(page):
    return page.evaluate("rowsWhere(1)")


def box(page, expression):
    """Left, top, width and height of an element on the screen."""
    bounds = page.evaluate(f"(({expression}).getBoundingClientRect().toJSON())")
    return bounds["left"], bounds["top"], bounds["width"], bounds["height"]


def place_of(page, row):
    """Where a row stands in the scatter, on the screen."""
    left, top, _, _ = box(page, "scatter.top")
    x, y = page.evaluate(f"placeOf({row})")
    return left + x, top + y


def slide(page, *values):
    """Move the sliders of preferences, in their order."""
    page.evaluate(
        f"document.querySelectorAll('#preferences input').forEach((slider, i) => {{ slider.value = {list(values)}[i];"
        "slider.dispatchEvent(new Event('input')); })"
    )


def choose(page, name, value):
    page.evaluate(
        f"(() => {{ const s = document.getElementById({name!r}); s.value = {value};"
        "s.dispatchEvent(new Event('change')); })()"
    )


# --------------------------------------------------------------------------------------------------- opening
def test_it_opens_with_everything_in_sight(opened):
    for width, height in ((1280, 800), (1920, 1080)):
        page = opened(mixed(), width=width, height=height)
        assert text(page, "#count") == f"{N} shown"
        assert text(page, "#summary") == "4 objectives, 3 variables"
        assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [
            width,
            height,
        ]
        for element in ("scatter.top", "parallel.top", "details"):
            left, top, wide, high = box(page, element)
            assert wide > 250, element
            assert high > 200, element
            assert left + wide <= width, element
            assert top + high <= height, element


def test_it_fits_a_window_of_another_size(opened):
    page = opened(mixed())
    wide = box(page, "scatter.top")[2]
    page.resize(1000, 700)
    page.wait_for(f"scatter.top.clientWidth < {wide}")
    for element in ("scatter", "parallel-view"):
        left, top, width, height = box(page, f"document.getElementById({element!r})")
        assert left + width <= 1000
        assert top + height <= 700
    place = place_of(page, 0)
    page.move(*place)
    assert page.evaluate("view.hovered") == 0


def test_points_are_drawn_where_their_objectives_say(opened):
    result = made([[0.0, 10.0], [1.0, 0.0], [0.5, 5.0]])
    page = opened(result)
    (ax, ay), (bx, by), (cx, cy) = (place_of(page, row) for row in range(3))
    assert ax < cx < bx
    assert ay < cy < by  # larger is up
    assert (cx, cy) == pytest.approx(((ax + bx) / 2, (ay + by) / 2))
    pixel = "scatter.canvas.getContext('2d').getImageData(...placeOf(0).map(Math.round), 1, 1).data"
    assert page.evaluate(f"Array.from({pixel}).slice(0, 3)") == pytest.approx([0, 114, 178], abs=3)  # Okabe-Ito's blue


def test_names_stay_text_everywhere(opened):
    pytest.importorskip("plotly")
    result = mixed(problem=EVIL, names=[EVIL, "<b>b</b>", "c", "d"], method=EVIL)
    page = opened(result)
    scripts = page.evaluate("document.scripts.length")
    assert text(page, "#title") == EVIL
    assert text(page, "#groups .name") == EVIL
    assert page.evaluate("document.title") == EVIL
    assert text(page, "#axis-x option") == f"{EVIL} (min)"
    assert text(page, "#details th") == f"{EVIL} (min)"
    assert f"{EVIL} (min)" in page.evaluate(
        "Array.from(scatter.top.querySelectorAll('text.title'), (t) => t.textContent)"
    )
    shells = page.evaluate("[0, 1, 2].map((value) => readable(table.axes.at(-1), value))")
    assert shells == ["steel", "=1+1", EVIL]
    assert page.evaluate("document.querySelectorAll('main b').length") == 0
    assert page.evaluate("document.scripts.length") == scripts
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"window.ran = 1\">')")
    page.evaluate(
        "Object.assign(document.body.appendChild(document.createElement('script')), {text: 'window.ran = 1'})"
    )
    settle(page)
    assert page.evaluate("window.ran ?? 0") == 0  # even mark-up that came in would not be run
    page.expect_complaints("Content Security Policy")


def test_a_name_of_a_solution_stays_text(opened):
    page = opened(named([EVIL, "=cmd()", "c"], problem="words"))
    page.evaluate("pin(0)")
    settle(page)
    assert text(page, "#details .solution") == EVIL
    assert "'=cmd()" in page.evaluate("selectionAsCsv()")


# --------------------------------------------------------------------------------------------------- brushing
def test_a_brush_in_the_scatter_selects_what_lies_in_it(opened):
    result = mixed()
    page = opened(result)
    left, top, _, _ = box(page, "scatter.top")
    page.drag((left + 150, top + 80), (left + 250, top + 150), (left + 420, top + 260))
    settle(page)
    ranges = dict(page.evaluate("[...view.ranges]"))
    x, y = result.objectives[:, 0].numpy(), result.objectives[:, 1].numpy()
    inside = (x >= ranges[0][0]) & (x <= ranges[0][1]) & (y >= ranges[1][0]) & (y <= ranges[1][1])
    assert 0 < inside.sum() < N
    assert selected(page) == np.flatnonzero(inside).tolist()
    for row in range(N):  # by pixels, too
        across, down = place_of(page, row)
        within = left + 150 <= across <= left + 420 and top + 80 <= down <= top + 260
        assert within == inside[row]
    assert text(page, "#count") == f"{inside.sum()} of {N} selected"
    assert (
        page.evaluate("parallel.columns.map((c) => c.range.getAttribute('visibility'))")
        == ["visible"] * 2 + ["hidden"] * 5
    )
    page.evaluate("document.getElementById('clear').click()")
    assert len(selected(page)) == N


def test_a_brush_on_a_parallel_axis_selects_in_all_views_and_can_be_moved_and_cleared(opened):
    result = mixed()
    page = opened(result)
    left, top, _, _ = box(page, "parallel.top")
    x, upper, lower = page.evaluate("[parallel.columns[2].x, parallel.columns[2].top, parallel.columns[2].bottom]")
    values = result.objectives[:, 2].numpy()
    span = values.max() - values.min()

    def better_than(share, least=0.0):  # of the axis, from its upper end: the objective is minimised
        heights = (values - values.min()) / span
        return np.flatnonzero((heights <= share) & (heights >= least)).tolist()

    middle = (upper + lower) / 2
    page.drag((left + x, top + upper), (left + x, top + upper + 30), (left + x, top + middle))
    settle(page)
    assert selected(page) == better_than(0.5)
    pixels = "Array.from(scatter.canvas.getContext('2d').getImageData(...placeOf({}).map(Math.round), 1, 1).data)"
    faint = next(row for row in range(N) if row not in better_than(0.5))
    assert page.evaluate(pixels.format(faint))[:3] == pytest.approx([201, 207, 212], abs=3)
    page.drag(
        (left + x, top + upper + 20), (left + x, top + upper + 50), (left + x, top + upper + 20 + (lower - middle) / 2)
    )
    settle(page)
    assert selected(page) == better_than(0.75, 0.25)
    page.drag((left + x, top + upper + 5))
    settle(page)
    assert len(selected(page)) == N


def test_axes_are_brushed_by_keys(opened):
    result = mixed()
    page = opened(result)
    page.evaluate("parallel.columns[0].group.focus()")
    for _ in range(5):
        page.press("ArrowUp", 38)
    settle(page)
    kept = selected(page)
    first = result.objectives[:, 0].tolist()
    limit = min(first) + 0.9 * (max(first) - min(first))  # five times 2 % less of what is worst
    assert kept == [row for row in range(N) if first[row] <= limit + 1e-9]
    assert len(kept) < N
    label = page.evaluate("document.activeElement.getAttribute('aria-valuetext')")
    assert label.startswith("from ")
    page.press("Escape", 27)
    assert len(selected(page)) == N


def test_a_double_click_clears_what_was_brushed_in_the_scatter(opened):
    page = opened(mixed())
    page.evaluate("change('ranges', () => view.ranges.set(0, [0, .2]).set(2, [0, .5]))")
    page.evaluate("scatter.top.dispatchEvent(new MouseEvent('dblclick'))")
    assert page.evaluate("[...view.ranges.keys()]") == [2]


def test_the_view_zooms_to_the_selection_and_back(opened):
    page = opened(mixed())
    whole = place_of(page, 0)
    page.evaluate("change('ranges', () => view.ranges.set(0, [0.1, 0.3]).set(1, [0.1, 0.3]))")
    page.evaluate("document.getElementById('zoom').click()")
    low, high = page.evaluate("scatter.scales.x.ends")
    assert 0 < low < 0.3
    assert high < 0.4
    page.evaluate("document.getElementById('zoom').click()")
    assert place_of(page, 0) == whole


# --------------------------------------------------------------------------------------------------- preferences
@pytest.mark.parametrize("directions", [["min", "min", "min"], ["max", "min", "max"]])
def test_sliders_choose_what_a_result_gives_for_the_same_preferences(opened, directions):
    result = mixed(m=3, directions=directions)
    page = opened(result)
    stream = np.random.default_rng(0)
    for weights in [(50, 50, 50), (100, 0, 0), *stream.integers(0, 101, (25, 3)).tolist()]:
        slide(page, *weights)
        wanted = result.sample(np.array(weights) / sum(weights))[0]
        row = page.evaluate("view.chosen")
        torch.testing.assert_close(result.solutions[row], wanted, equal_nan=True)
    shares = page.evaluate("Array.from(document.querySelectorAll('#preferences output'), (o) => o.textContent)")
    assert shares == [f"{100 * value / sum(weights):.1f} %" for value in weights]


def test_neighbours_are_the_nearest_in_scaled_objectives(opened):
    result = mixed(m=3)
    page = opened(result)
    slide(page, 90, 50, 50)
    chosen, neighbours = page.evaluate("[view.chosen, view.neighbours]")
    values = result.objectives.numpy()
    scaled = (values - values.min(axis=0)) / np.ptp(values, axis=0)
    apart = np.linalg.norm(scaled - scaled[chosen], axis=1)
    assert neighbours == np.argsort(apart)[1:6].tolist()
    assert page.evaluate("scatter.marks.querySelectorAll('.chosen').length") == 1
    assert page.evaluate("scatter.marks.querySelectorAll('.ring').length") == 5


def test_preferences_choose_within_the_selection(opened):
    result = mixed(m=3)
    page = opened(result)
    page.evaluate("change('ranges', () => view.ranges.set(0, [0.6, 2]))")
    rows = selected(page)
    assert page.evaluate("view.chosen") in rows
    assert set(page.evaluate("view.neighbours")) <= set(rows)
    page.evaluate("change('ranges', () => view.ranges.set(0, [5, 6]))")
    settle(page)
    assert page.evaluate("view.chosen") == -1
    assert "No solution lies within" in text(page, "#details")


def test_without_any_preference_nothing_is_chosen(opened):
    page = opened(mixed())
    slide(page, 0, 0, 0, 0)
    settle(page)
    assert page.evaluate("view.chosen") == -1
    assert "Give at least one objective a preference above 0." in text(page, "#details")
    page.evaluate("document.getElementById('equal').click()")
    assert page.evaluate("view.chosen") >= 0


# --------------------------------------------------------------------------------------------------- details
def test_what_is_pointed_at_shows_its_details_and_can_be_pinned(opened):
    result = mixed()
    page = opened(result)
    row = int(result.objectives[:, 1].argmax())  # nothing lies above it
    page.move(*place_of(page, row))
    settle(page)
    assert text(page, "#details h2").startswith("Pointed at")
    assert text(page, "#details .solution") == f"Row {row + 1}"
    cells = page.evaluate("Array.from(details.querySelectorAll('td'), (cell) => cell.textContent)")
    assert [float(cell) for cell in cells[:4]] == pytest.approx(result.objectives[row].tolist(), rel=1e-5)
    described = SPACE.describe(result.solutions[row])
    assert cells[5:7] == [str(described["layers"]), described["shell"]]
    assert cells[7] == str(row + 1)
    page.drag(place_of(page, row))
    page.move(5, 5)
    settle(page)
    assert text(page, "#details h2").startswith("Pinned")
    page.drag(place_of(page, row))
    assert page.evaluate("view.pinned") == -1
    page.drag(place_of(page, row))
    page.move(5, 5)
    page.press("Escape", 27)
    settle(page)
    assert text(page, "#details h2").startswith("Chosen by preferences")


def test_solutions_can_be_stepped_through_without_a_mouse(opened):
    page = opened(mixed())
    seen = []
    page.evaluate("details.querySelector('[data-step=\"Next solution\"]').focus()")
    for _ in range(3):
        page.press("Enter", 13, text="\r")
        settle(page)
        seen.append(page.evaluate("view.pinned"))
    chosen = page.evaluate("view.chosen")
    assert seen == [(chosen + i) % N for i in (1, 2, 3)]
    assert page.evaluate("document.activeElement.dataset.step") == "Next solution"


def test_a_line_is_pointed_at_between_two_axes(opened):
    result = mixed()
    page = opened(result)
    left, top, _, _ = box(page, "parallel.top")
    x, places = page.evaluate(
        "[(parallel.columns[0].x + parallel.columns[1].x) / 2, [0, 1].map((i) => [...parallel.columns[i].places])]"
    )
    middles = np.mean(places, axis=0)[:N]
    page.move(left + x, top + middles.max())
    settle(page)
    assert page.evaluate("view.hovered") == int(middles.argmax())


def test_molecules_are_drawn_and_named(opened):
    pytest.importorskip("rdkit")
    molecules = ["c1ccccc1O", "CCO", "CC(=O)N"]
    page = opened(named(molecules))
    for row, smiles in enumerate(molecules):
        page.move(*place_of(page, row))
        settle(page)
        assert text(page, "#details .solution") == smiles
        page.wait_for("details.querySelector('img').naturalWidth")
        assert page.evaluate("details.querySelector('img').alt") == f"Picture of {smiles}"


# --------------------------------------------------------------------------------------------------- what is shown
def test_groups_and_dominated_points_come_and_go(opened):
    page = opened([mixed(seed=0), mixed(seed=1, method="random", factor=1.05)])
    assert text(page, "#count") == "120 shown"
    assert "(120)" in text(page, "#dominated-label")
    page.evaluate("document.getElementById('dominated').click()")
    assert text(page, "#count") == "240 shown"
    page.evaluate("document.querySelector('#groups input').click()")
    assert text(page, "#count") == "120 shown"
    assert {page.evaluate(f"table.group[{row}]") for row in selected(page)} == {1}
    assert page.evaluate("table.group[view.chosen]") == 1
    assert page.evaluate("[view.chosen, ...view.neighbours].map((row) => table.dominated[row])") == [0] * 6
    page.evaluate("document.querySelectorAll('#groups input')[1].click()")
    settle(page)
    assert "No result is shown." in text(page, "#details")


def test_axes_can_be_logarithmic_where_all_values_are_above_0(opened):
    page = opened(made([[1.0, -1.0, 4.0], [10.0, -2.0, 2.0], [100.0, -3.0, 1.0]]))
    assert page.evaluate("Array.from(document.querySelectorAll('#axes input'), (box) => box.disabled)") == [
        False,
        True,
        True,
    ]
    page.evaluate("document.querySelector('#axes input').click()")
    xs = [place_of(page, row)[0] for row in range(3)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])
    places = page.evaluate("Array.from(parallel.columns[0].places)")
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.01)
    assert "f1 (min), log" in page.evaluate(
        "Array.from(scatter.top.querySelectorAll('text.title'), (t) => t.textContent)"
    )


def test_an_axis_that_takes_anothers_objective_gives_it_its_own(opened):
    page = opened(mixed())
    choose(page, "axis-x", 1)
    assert page.evaluate("[view.x, view.y, view.z]") == [1, 0, -1]
    assert page.evaluate("document.getElementById('axis-y').value") == "0"


def test_few_and_equal_values_are_drawn(opened):
    for objectives in ([[1.0, 2.0]], [[3.0, 1.0], [3.0, 1.0]], [[0.0, 0.0]]):
        page = opened(made(objectives))
        left, top, width, height = box(page, "scatter.top")
        x, y = place_of(page, 0)
        assert left < x < left + width
        assert top < y < top + height
        assert page.evaluate("view.chosen") == 0


# --------------------------------------------------------------------------------------------------- export
def exported(browser, page, folder):
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.evaluate("document.getElementById('export').click()")
    path = folder / "selection.csv"
    end = time.monotonic() + 20
    while not path.exists() and time.monotonic() < end:
        page.evaluate("1")
        time.sleep(0.02)
    return path


def test_the_selection_is_exported_exactly(opened, browser, tmp_path):
    result = mixed(names=["=f1", "f2", "f,3", 'f"4'])
    page = opened(result)
    page.evaluate("change('ranges', () => view.ranges.set(0, [0.3, 0.9]))")
    rows = selected(page)
    path = exported(browser, page, tmp_path)
    table = pd.read_csv(path, dtype=str)
    assert list(table.columns) == [
        "row",
        "run",
        "x1",
        "layers",
        "shell",
        "'=f1",
        "f2",
        "f,3",
        'f"4',
        "used",
        "dominated",
    ]
    assert [int(row) - 1 for row in table["row"]] == rows
    np.testing.assert_array_equal(table[["'=f1", "f2", "f,3", 'f"4']].map(float), result.objectives[rows])
    np.testing.assert_array_equal(table["x1"].map(float), result.solutions[rows, 0])
    shells = [SPACE.describe(result.solutions[row])["shell"] for row in rows]
    assert table["shell"].tolist() == [f"'{shell}" if shell.startswith("=") else shell for shell in shells]
    assert table["used"].tolist() == [str(row + 1) for row in rows]
    assert not path.read_bytes().count(b"\r")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", ' "=1'])
def test_no_text_is_exported_as_a_formula(opened, text):
    page = opened(named([text, "b"], problem="words"))
    line = page.evaluate("selectionAsCsv()").split("\n")[1]
    cell = line.split(",")[2]
    assert cell.lstrip('"')[0] in "' "


# --------------------------------------------------------------------------------------------------- in space
def test_three_objectives_are_drawn_in_space(opened):
    pytest.importorskip("plotly")
    found = mixed(m=4, names=["a", EVIL, "<b>c</b>", "d"])
    page = opened(found, width=900, height=600)  # few pixels: no graphics card draws them
    choose(page, "axis-z", 2)
    page.wait_for("window.Plotly && !space.busy")
    assert page.evaluate("[scatter.box.hidden, space.box.hidden, space.note.hidden]") == [True, False, True]
    drawn = page.evaluate("space.rows.map((rows) => rows.length)")
    assert drawn[:3] == [0, N, 0]
    scene = page.evaluate(
        "(({xaxis, yaxis, zaxis}) => [xaxis, yaxis, zaxis].map((a) => a.title.text))(space.box.layout.scene)"
    )
    assert scene[1:] == [EVIL.replace("<", "&lt;").replace(">", "&gt;") + " (min)", "&lt;b&gt;c&lt;/b&gt; (min)"]
    page.evaluate("space.box.emit('plotly_hover', { points: [{ curveNumber: 1, pointNumber: 7 }] })")
    assert page.evaluate("[view.hovered, shownRow()]") == [7, 7]
    page.evaluate("space.box.emit('plotly_unhover', {})")
    page.evaluate("space.box.emit('plotly_click', { points: [{ curveNumber: 1, pointNumber: 9 }] })")
    assert page.evaluate("[view.hovered, shownRow()]") == [-1, 9]
    page.evaluate("change('ranges', () => view.ranges.set(0, [0.3, 0.9]))")
    page.wait_for("!space.busy")
    kept = len(selected(page))
    assert page.evaluate("space.box.data.map((trace) => trace.x.length)")[:2] == [N - kept, kept]
    choose(page, "axis-z", -1)
    assert page.evaluate("[scatter.box.hidden, space.box.hidden]") == [False, True]


def test_without_webgl_it_says_that_space_needs_it(opened):
    pytest.importorskip("plotly")
    page = opened(mixed())
    page.evaluate(
        "(() => { const old = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext ="
        "function (kind) { return kind.startsWith('webgl') ? null : old.call(this, kind); }; })()"
    )
    choose(page, "axis-z", 2)
    page.wait_for("!space.busy")
    assert (
        text(page, "#space-note")
        == "This browser has no WebGL, which three objectives in space need. Choose two objectives."
    )
    assert not page.evaluate("space.note.hidden")


def test_a_page_that_cannot_be_read_says_so(browser, tmp_path):
    path = explore(mixed(m=2), tmp_path / "a.html")
    path.write_text(path.read_text().replace('id="data">H4sI', 'id="data">AAAA'))
    page = browser.open(path)
    page.wait_for("document.getElementById('summary')?.textContent")
    assert text(page, "#summary").startswith("This page could not be drawn: ")
    page.close()
