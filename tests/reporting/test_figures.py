import numpy as np
import pytest

from katrec.reporting import figures
from katrec.reporting.report import Report

HISTORY = [{"step": step, "loss": 5 / step, "valid": {"sampled": {"NDCG@10": step / 10}}} for step in (1, 2, 3)]
MADE = {
    "groups": lambda: figures.user_groups(["≤ 5", "> 5"], [0.75, 0.25], {"KATRec": [0.1, 0.3], "SASRec": [0.2, 0.2]}),
    "attention": lambda: figures.average_attention(
        {
            "KATRec": np.where(np.arange(15) > 9, 0.2, np.nan) + np.zeros((2, 2, 15, 15)),
            "BERT4Rec": np.ones((2, 2, 15, 15)) / 15,
        }
    ),
    "user": lambda: figures.one_user(["1", "2"], np.ones((2, 2)) / 3, {"KATRec": np.array([0.3, 0.7])}),
    "curves": lambda: figures.curves({"KATRec": HISTORY, "SASRec": HISTORY}, "sampled/NDCG@10"),
}


@pytest.mark.parametrize("name", MADE)
def test_the_same_figure_gives_the_same_bytes(tmp_path, name):
    for copy in ("one", "two"):
        figures.save(MADE[name](), str(tmp_path / copy))
    for kind in ("png", "svg"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


def test_axes_say_what_they_show():
    axes, bars = MADE["groups"]().axes
    assert (axes.get_ylabel(), bars.get_ylabel()) == ("NDCG@10", "share of users (%)")
    assert [bar.get_height() for bar in bars.patches] == [75, 25]
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.1, 0.3], [0.2, 0.2]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["KATRec", "SASRec"]
    loss, valid = MADE["curves"]().axes
    assert list(valid.lines[0].get_ydata()) == [0.1, 0.2, 0.3]


def test_any_number_of_models_is_drawn_and_told_apart():
    models = {f"model {number}": [0.1 * number, 0.2] for number in range(20)}
    axes, _ = figures.user_groups(["≤ 5", "> 5"], [0.5, 0.5], models).axes
    loss, _ = figures.curves(dict.fromkeys(models, HISTORY), "sampled/NDCG@10").axes
    for drawn in (axes, loss):
        assert [line.get_label() for line in drawn.lines] == list(models)
        styles = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in drawn.lines}
        assert len(styles) == 20


def test_models_of_other_layers_share_figure_5():
    figure = figures.average_attention({"KATRec": np.ones((2, 2, 15, 15)), "BERT4Rec": np.ones((1, 2, 15, 15))})
    titles = [axes.get_title() for axes in figure.axes]
    assert titles.count("layer 1, head 1") == 2 and titles.count("layer 2, head 2") == 1


def test_drawings_on_a_page_keep_their_own_parts(tmp_path):
    report = Report(str(tmp_path), "tiny", ["made by hand"])
    for name in ("a", "b"):
        report.figure(name, "Caption & more", MADE["curves"]())
    report.page()
    page = (tmp_path / "report.html").read_text()
    assert "Caption &amp; more" in page and "made by hand" in page
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids)) > 20
