"""LaTeX tables: read back by a parser of our own, and compiled where there is a TeX."""

import itertools
import re
import shutil

import pandas as pd
import pytest
from searches import searches

from moo.benchmarks.perf.reports import latex_errors, latex_faults, latex_tables
from moo.benchmarks.reports.latex import escaped, latex
from moo.benchmarks.reports.loading import Report
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.reports.tables import Entry, Table, entries

NASTY = r"100% of $x_1^{2}$ & \frac{~} #1 <b>|c|</b> [a] * é µ 中 " + '"q"'
GLYPHS = {
    **{rf"\{sign}": sign for sign in "&%$#_{}"},
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    "{[}": "[",
    "{]}": "]",
    "{*}": "*",
    "''": '"',
}


def check(text):
    assert latex_faults(text) == []


def read(text):
    """The rows of each tabular as plain texts with `*` behind what is bold; the column specification first."""
    found = []
    for columns, inner in re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", text, flags=re.DOTALL):
        assert re.fullmatch(r"\\toprule\n.*?\\\\\n\\midrule\n.*\\bottomrule\n", inner, flags=re.DOTALL)
        rows = []
        for line in inner.splitlines():
            if line in (r"\toprule", r"\midrule", r"\bottomrule", r"\addlinespace"):
                continue
            assert line.endswith(r" \\")
            cells = re.split(r"(?<!\\) & ", line.removesuffix(r" \\"))
            assert len(cells) == len(columns)
            assert not re.match(r"[\[*]", cells[0])  # the row before would swallow it
            rows.append([unescaped(cell) for cell in cells])
        found.append((columns, rows))
    return found


def unescaped(cell):
    bold = re.fullmatch(r"\\textbf\{(.*)\}((?: \$.\$)?)", cell)
    text = f"{bold[1]}*{bold[2]}" if bold else cell
    text = re.sub(r"\$(-?[\d.]+) \\times 10\^\{(-?\d+)\}\$", lambda m: f"{float(m[1] + 'e' + m[2]):.4g}", text)
    text = re.sub(r"\$(-?)\\infty\$", r"\1inf", text)
    text = re.sub(r"\$([-+=?])\$", r"\1", text)
    pattern = "|".join(map(re.escape, sorted(GLYPHS, key=len, reverse=True)))
    return re.sub(pattern, lambda m: GLYPHS[m[0]], text)


def table_of(*rows, header=("name", "value"), groups=()):
    return Table("t", "A table", header, list(rows), pd.DataFrame(), ["A note."], list(groups))


@pytest.fixture
def report():
    """Methods and problems, one of them with every sign that means something to LaTeX."""
    methods = {"random": [10, 20, 30], "nsga2": [123456, 234567, 345678], "moead": [None] * 3}
    runs = searches(dict.fromkeys(("p", NASTY), methods))
    return Report(runs, [f"failed: {NASTY}: ValueError: {NASTY}"])


def test_a_table_reads_back_as_the_plain_one(report):
    indicators = ("hypervolume", "igd_plus")
    options = {"sections": ["summary"], "control": "random"}
    text = render(report, indicators, form="latex", **options)
    check(text)
    ((columns, rows),) = read(text)
    assert columns == "llrrrrrr"
    lines = render(report, indicators, **options).split("\n\n")[0].splitlines()
    printable = [line.replace("中", "U+4E2D").replace("µ", "U+00B5") for line in lines]
    assert [re.split(r" {2,}", line) for line in printable] == rows
    assert any("*" in row[4] for row in rows)


def test_every_section_is_taken_by_latex(report):
    text = render(report, ("hypervolume", "igd_plus", "area"), form="latex", sections=["all", "runs"])
    check(text)
    assert len(read(text)) == 5 + 3  # rankings come one per indicator


def test_every_sign_comes_back():
    assert unescaped(escaped(NASTY)) == NASTY.replace("中", "U+4E2D").replace("µ", "U+00B5")
    check(escaped(NASTY))


def test_the_best_is_bold_and_signs_stand_behind():
    text = latex([table_of((Entry("a"), Entry("1.5 [1, 2]", True, "+")), (Entry("b"), Entry("0.5", False, "-")))], [])
    assert r"a & \textbf{1.5 {[}1, 2{]}} $+$ \\" in text
    assert r"b & 0.5 $-$ \\" in text
    assert "Bold: the best." in text


def test_numbers_are_printed_as_one_writes_them():
    rows = [entries("a", text) for text in ("1.5e-07", "-2e+10 [-inf, inf]", "-", "- (0/3)", "0.5")]
    (_, *printed) = read(latex([table_of(*rows)], []))[0][1]
    text = latex([table_of(*rows)], [])
    assert r"$1.5 \times 10^{-7}$" in text
    assert r"$-2 \times 10^{10}$ {[}$-\infty$, $\infty${]}" in text
    assert "& -- \\\\" in text
    assert "& -- (0/3) \\\\" in text
    assert [row[1] for row in printed] == ["1.5e-07", "-2e+10 [-inf, inf]", "--", "-- (0/3)", "0.5"]
    named = latex([table_of(entries("nsga2:rate=1e-05,inference=info", "1"))], [])
    assert "nsga2:rate=1e-05,inference=info" in named  # names stay as they are


def test_a_row_never_begins_with_what_the_row_before_would_swallow():
    text = latex([table_of(entries("x", "1"), entries("[y]", "2"), entries("*z", "3"))], [])
    check(text)
    assert [row[0] for row in read(text)[0][1]] == ["name", "x", "[y]", "*z"]


@pytest.mark.parametrize("sizes", [[39, 1], [40, 1], [20, 20, 20], [30, 30, 30], [100], [7] * 20])
def test_long_tables_are_cut_into_floats_between_blocks(sizes):
    groups = [f"p{i}" for i, size in enumerate(sizes) for _ in range(size)]
    rows = [entries(group, i) for i, group in enumerate(groups)]
    text = latex([table_of(*rows, groups=groups)], ["Closing."])
    check(text)
    parts = read(text)
    bodies = [rows[1:] for _, rows in parts]
    assert [row for body in bodies for row in body] == [[group, str(i)] for i, group in enumerate(groups)]
    assert all(0 < len(body) <= 40 for body in bodies)
    if max(sizes) <= 40:  # no block is torn
        assert all(before[-1][0] != after[0][0] for before, after in itertools.pairwise(bodies))
    assert text.count("Closing.") == len(parts)
    if len(parts) > 1:
        assert f"A table, part {len(parts)} of {len(parts)}." in text


def test_sentences_without_a_table_are_taken_by_latex():
    text = render(Report([], [f"failed: {NASTY}"]), form="latex")
    check(text)
    assert "Nothing finished yet." in text


WRONG = [
    (r"\textcolor{a}", "command textcolor"),
    (r"\textbf{a", "braces"),
    ("a} {", "braces"),
    ("a $b", "mathematics left open"),
    ("50 % of x_1", "sign %"),
    ("50 % of x_1", "sign _"),
    ("a & b", "& outside of a table"),
    ("中", "letter '中'"),
    (r"\begin{table}", r"\begin{table}"),
    (r"\begin{table}\end{tabular}", r"\end{tabular}"),
    ("\\begin{tabular}{ll}\na & b & c \\\\\n\\end{tabular}", "row a & b & c"),
    ("\\begin{tabular}{ll}\na & b\n\\end{tabular}", "row a & b"),
    ("\\begin{tabular}{ll}\na & b \\\\\n[c] & d \\\\\n\\end{tabular}", "row [c] & d"),
]


@pytest.mark.parametrize(("text", "fault"), WRONG)
def test_the_parser_finds_what_latex_would_not_take(text, fault):
    assert any(found.startswith(fault) for found in latex_faults(text)), latex_faults(text)


def test_the_parser_takes_what_latex_takes():
    text = r"\begin{tabular}{lr}" "\n\\toprule\n" r"a\_b & $2 \times 10^{4}$ \\" "\n" r"\textbf{c} \& d & 100\% \\"
    assert latex_faults(text + "\n\\bottomrule\n\\end{tabular}\n") == []


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_tables_compile_with_booktabs_alone(report):
    assert not latex_errors(render(report, ("hypervolume", "igd_plus"), form="latex", sections=["all"]))


def test_the_claim_of_latex_tables_is_measured():
    found = latex_tables(quick=True)
    assert found.met, found
    assert found.median.startswith("9 tables pass ")
