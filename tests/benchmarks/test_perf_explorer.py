"""What the explorer's claim is made of."""

import math

import pytest

from moo.benchmarks.claims.benchmarks import CLAIMS
from moo.benchmarks.perf import explorer
from moo.benchmarks.perf.chromium import Chromium, find_chromium
from moo.benchmarks.perf.explorer import large_result, measure, verdict
from moo.dominance import non_dominated
from moo.plots import explorer_data


def test_the_made_up_page_is_as_large_as_the_claim_says():
    data = explorer_data(large_result(300, 4, 5))
    assert data.objectives.shape == (600, 4)
    assert data.solutions.shape == (600, 5)
    assert [row.dominated for row in data.rows] == [False] * 300 + [True] * 300
    assert non_dominated(-data.objectives)[:300].all()
    assert (explorer.POINTS, explorer.OBJECTIVES, explorer.VARIABLES) == (5_000, 10, 10)


@pytest.mark.parametrize(
    ("times", "size", "complaints", "shortfall"),
    [
        ([1.0, 1.9, 9.0], 6_000_000, [], ""),
        ([1.0, 2.0, 2.0], 1, [], "0.00 s"),
        ([1.0], 6_000_001, [], "1 bytes"),
        ([1.0], 1, ["TypeError"], "TypeError"),
        ([3.0], 7_000_000, [], "1.00 s; 1,000,000 bytes"),
    ],
)
def test_the_verdict_looks_at_the_median_the_size_and_complaints(times, size, complaints, shortfall):
    found = verdict(times, size, complaints, {})
    assert (found.met, found.shortfall) == (not shortfall, shortfall)


def test_without_a_browser_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(explorer, "find_chromium", lambda: None)
    assert measure(quick=True).verdict == "not measured (no Chromium is on the PATH)"


def test_without_a_browser_none_can_be_started(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match=r"A browser is needed\. Found none of chromium, chromium-browser"):
        Chromium()


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium is on the PATH")
def test_a_page_says_what_it_is_asked_and_what_went_wrong(tmp_path):
    path = tmp_path / "a.html"
    path.write_text(
        "<p>one</p><script>console.error('bad'); fetch('http://a.invalid'); setTimeout(() => null.x)</script>"
    )
    with Chromium() as browser:
        page = browser.open(path, width=300, height=200)
        assert page.wait_for("document.querySelector('p')?.textContent") == "one"
        assert page.evaluate("new Promise((done) => setTimeout(() => done([innerWidth, 2]), 50))") == [300, 2]
        page.screenshot(tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
        said = "\n".join(page.complaints)
        assert "bad" in said
        assert "TypeError" in said
        assert page.requests == ["http://a.invalid/"]
        page.evaluate("alert('here')")
        assert page.dialogs == ["here"]
        with pytest.raises(RuntimeError, match="ReferenceError"):
            page.evaluate("absent")
        with pytest.raises(RuntimeError, match="was not true within 0 s"):
            page.wait_for("false", seconds=0)
        with pytest.raises(RuntimeError, match=r"Page\.absent"):
            page.call("Page.absent")
        took = explorer.seconds_of(page, "await new Promise((done) => setTimeout(done, 30))")
        assert 0.03 <= took < math.inf


def test_it_is_a_claim():
    assert "moo.benchmarks.perf.explorer:measure" in {claim.measure for claim in CLAIMS}
