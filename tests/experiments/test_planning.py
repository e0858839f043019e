from katrec.experiments.planning import Plan, longest_first
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


def test_seed_by_seed_the_longest_runs_are_begun_first():
    models, seeds = ["bprmf", "katrec", "sasrec", "katrec_next_item"], ["7", "1"]
    planned = Plan(models, ["concat"], seeds, ["1"], str(ROOT / "datasets"), "runs").runs("ml-100k")
    assert [run.name.split("/")[1] for run in longest_first(planned)] == [
        "katrec_next_item-seed7",
        "katrec-seed7",
        "katrec-no_position-seed7",
        "sasrec-seed7",
        "bprmf-seed7",
        "katrec_next_item-seed1",
        "katrec-seed1",
        "katrec-concat-seed1",
        "sasrec-seed1",
        "bprmf-seed1",
    ]
