"""Which runs the tables and figures of a data set need."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, Optional

from katrec.common import files
from katrec.common.command_line import FlagError, UserError
from katrec.common.paper import TABLE_1
from katrec.experiments.running import PlannedRun, common_flags, flagfiles, settings_file
from katrec.experiments.variants import ABLATIONS, EXTENSION, OPEN, PAPER, of_group
from katrec.models import registry

GROUPS = {"all": of_group(PAPER), "open": of_group(OPEN), "next_item": of_group(EXTENSION)}
# Prepared from the name alone.
FETCHED_DATASETS = ("ml-100k",)


class Plan(NamedTuple):
    """What is to be run for every data set.

    Attributes:
      models: names of the models.
      ablations: names of variants of KATRec, and of its extension.
      seeds: each model is run once with each seed.
      ablation_seeds: each variant is run once with each of these.
      datasets_dir: folder of the prepared data sets.
      runs_dir: folder of the run directories, DATASET/MODEL-seedN.
      cold_item_share: of the cold items' protocol (`katrec.data.cold_items.hold_out`); 0: everything is trained on.
      cold_seed: as there.
      stopping_metric: what chooses every run's weights; None: what its flags say.
    """

    models: Sequence[str]
    ablations: Sequence[str]
    seeds: Sequence[str]
    ablation_seeds: Sequence[str]
    datasets_dir: str
    runs_dir: str
    cold_item_share: float = 0.0
    cold_seed: int = 1
    stopping_metric: Optional[str] = None

    def check(self, datasets: Sequence[str]) -> None:
        """Checks that the plan can be carried out on these data sets.

        Raises:
          FlagError: it cannot.
        """
        for name, given, offered in (
            ("models", self.models, registry.MODELS),
            ("ablations", self.ablations, ABLATIONS),
        ):
            if not set(given) <= set(offered) or (name == "models" and not given):
                raise FlagError(f"--{name}={','.join(given)}: choose from {','.join(offered)}")
        for ablation in self.ablations:
            if ABLATIONS[ablation].model not in self.models:
                raise FlagError(
                    f"--ablations={ablation} is a variant of {ABLATIONS[ablation].model}, which --models leaves out"
                )
        if self.cold_item_share and self.ablations:
            raise FlagError("--cold_item_share: its table has models, no --ablations")
        if not self.seeds or not all(seed.isdecimal() for seed in self.seeds):
            raise FlagError(f"--seeds={','.join(self.seeds)}: whole numbers separated by commas")
        if not set(self.ablation_seeds) <= set(self.seeds):
            raise FlagError(f"--ablation_seeds={','.join(self.ablation_seeds)}: must be among --seeds")
        for dataset in datasets:
            if settings_file(self.datasets_dir, dataset, "flags.txt") is None:
                path = os.path.join(self.datasets_dir, dataset, "flags.txt")
                raise FlagError(f"data set {dataset}: there is no {path} with its training flags")

    def runs(self, dataset: str) -> dict[tuple[str, str, str], PlannedRun]:
        """Returns {(model, variant, seed): run} of a data set; the variant is "none" for the model itself.

        Figure 5 needs KATRec without positional embedding: one seed of it is trained beside KATRec.
        """
        keys = [(model, "none", seed) for seed in self.seeds for model in self.models]
        keys += [
            (ABLATIONS[variant].model, variant, seed) for seed in self.ablation_seeds for variant in self.ablations
        ]
        if "katrec" in self.models and not self.cold_item_share:
            keys.append(("katrec", "no_position", self.seeds[0]))
        return {key: self._run(dataset, *key) for key in keys}

    def _run(self, dataset: str, model: str, variant: str, seed: str) -> PlannedRun:
        name = f"{model}{'' if variant == 'none' else f'-{variant}'}-seed{seed}"
        own: list[str] = []
        if self.cold_item_share:
            name = f"cold-{self.cold_item_share:g}-{self.cold_seed}/{name}"
            # What a model has otherwise where items are new stands in a file of its own.
            path = settings_file(self.datasets_dir, dataset, f"{model}-cold.txt")
            own = [f"--flagfile={path}"] if path else []
            own += [f"--cold_item_share={self.cold_item_share}", f"--cold_seed={self.cold_seed}"]
        if self.stopping_metric:
            name = f"{self.stopping_metric.replace('/', '-')}/{name}"
            own.append(f"--stopping_metric={self.stopping_metric}")
        arguments = (
            *flagfiles(self.datasets_dir, dataset, model),
            *own,
            *common_flags(dataset, model, seed, self.datasets_dir, self.runs_dir),
            f"--ablation={variant}",
        )
        return PlannedRun(f"{dataset}/{name}", os.path.join(self.runs_dir, dataset, name), arguments)


def longest_first(runs: dict[tuple[str, str, str], PlannedRun]) -> list[PlannedRun]:
    """Returns a data set's runs as they are begun: seed by seed, the last of `registry.MODELS` first.

    These train longest, and a long one that begins at the end has one core at work.

    Args:
      runs: what `Plan.runs` returned.
    """
    models, seeds = list(registry.MODELS)[::-1], list(dict.fromkeys(seed for *_, seed in runs))
    return [runs[key] for key in sorted(runs, key=lambda key: (seeds.index(key[2]), models.index(key[0])))]


def named_ablations(names: Sequence[str]) -> list[str]:
    """Returns the variants that names of variants and of groups ("all", "open", "next_item") stand for, each once."""
    return list(dict.fromkeys(variant for name in names for variant in GROUPS.get(name, (name,))))


def preparation(datasets_dir: str, dataset: str) -> list[list[str]]:
    """Returns the commands that fetch, where that is a step of its own, and prepare a data set; none where it is there.

    Raises:
      UserError: its files must be brought by hand.
    """
    manifest = os.path.join(datasets_dir, dataset, files.MANIFEST)
    if os.path.exists(manifest) and files.read_object(manifest).get("format") == files.DATA_FORMAT:
        return []
    prepare = [sys.executable, "-m", "preprocess", f"--dataset={dataset}", f"--datasets_dir={datasets_dir}"]
    if dataset in FETCHED_DATASETS:
        return [prepare]
    if dataset in TABLE_1:
        raw_dir = os.path.join(datasets_dir, dataset, "raw")
        fetch = [sys.executable, "-m", "preprocess.download", f"--dataset={dataset}", f"--raw_dir={raw_dir}"]
        return [fetch, [*prepare, f"--kgat_dir={raw_dir}"]]
    raise UserError(
        f"{datasets_dir}/{dataset}: not prepared, or by another version; run: python -m preprocess "
        f"--dataset={dataset} --source=atomic --raw_dir=DIR, with the filters that its flags.txt names"
    )
