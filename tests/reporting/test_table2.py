import pytest

from katrec.reporting.table2 import table2


def result(model, value, seed=1):
    metrics = {f"{name}@{k}": value for name in ("Hit", "NDCG") for k in (1, 5, 10)}
    metrics["MAP"] = value
    return {"dataset": "d", "model": model, "seed": seed, "test": {"sampled": metrics, "full": metrics}}


def test_means_deviations_best_and_improvement():
    text = table2(
        {"bert4rec": [result("bert4rec", 0.2), result("bert4rec", 0.4)],
         "katrec": [result("katrec", 0.3), result("katrec", 0.36)]}, 99, ["a note"],
    )
    assert "| NDCG@10 | <u>0.3000 ± 0.1414</u> | **0.3300 ± 0.0424** | +10.00% |" in text
    assert "99 sampled negatives" in text
    assert "- a note" in text


def test_a_loss_is_reported_as_it_is():
    text = table2({"bert4rec": [result("bert4rec", 0.4)], "katrec": [result("katrec", 0.3)]}, 100, [])
    assert "| MAP | **0.4000** | <u>0.3000</u> | -25.00% |" in text


def test_one_model_is_not_compared():
    assert "| MAP | 0.4000 |" in table2({"bert4rec": [result("bert4rec", 0.4)]}, 100, [])


def test_no_results_are_refused():
    with pytest.raises(ValueError, match="at least one result"):
        table2({}, 100, [])
