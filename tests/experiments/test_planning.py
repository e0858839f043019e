from katrec.experiments.planning import Plan
from tests.conftest import ROOT


def runs(**values):
    plan = Plan(["katrec", "sasrec"], [], ["1"], ["1"], str(ROOT / "datasets"), "runs", **values)
    return plan.runs("beauty").values()


def test_one_stopping_metric_for_all_models_has_runs_of_its_own():
    usual, given = runs(), runs(stopping_metric="full/MAP")
    assert not any("--stopping_metric=full/MAP" in run.flags for run in usual)
    for run in given:
        # The last flag of a name counts, and files of flags are read in their place.
        assert run.flags.index("--stopping_metric=full/MAP") > max(
            number for number, one in enumerate(run.flags) if one.startswith("--flagfile=")
        )
    assert {run.folder for run in given}.isdisjoint(run.folder for run in usual)
    assert all(run.folder.startswith("runs/beauty/full-MAP/") for run in given)


def test_seed_by_seed_the_longest_runs_are_first():
    models, seeds = ["bprmf", "katrec", "sasrec", "katrec_next_item"], ["7", "1"]
    plan = Plan(models, ["concat"], seeds, ["1"], str(ROOT / "datasets"), "runs")
    assert list(plan.runs("ml-100k")) == [
        ("katrec_next_item", "none", "7"),
        ("katrec", "none", "7"),
        ("katrec", "no_position", "7"),
        ("sasrec", "none", "7"),
        ("bprmf", "none", "7"),
        ("katrec_next_item", "none", "1"),
        ("katrec", "none", "1"),
        ("katrec", "concat", "1"),
        ("sasrec", "none", "1"),
        ("bprmf", "none", "1"),
    ]
