"""Trains RecTools' BERT4Rec or SASRec; run by `benchmarks.peers` with the interpreter that has RecTools.

  python benchmarks/rectools_worker.py SPECIFICATION.json

The specification names an .npz of histories and targets, the settings, and where to write the figures.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import BERT4RecModel, SASRecModel


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        specification = json.load(file)
    torch.set_num_threads(specification["threads"])
    seed_everything(specification["seed"])
    with np.load(specification["data"]) as data:
        offsets, items, targets = data["offsets"], data["items"], data["targets"]
    users = np.repeat(np.arange(len(targets)), np.diff(offsets))
    dataset = Dataset.construct(
        pd.DataFrame(
            {
                Columns.User: users,
                Columns.Item: items,
                Columns.Weight: 1.0,
                Columns.Datetime: pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(len(items)), unit="s"),
            }
        )
    )

    def trainer():
        return Trainer(
            max_epochs=specification["epochs"],
            precision=specification["precision"],
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    bidirectional = specification["model"] == "bert4rec"
    own = {"mask_prob": specification["mask_share"]} if bidirectional else {}
    model = (BERT4RecModel if bidirectional else SASRecModel)(
        n_blocks=specification["layers"],
        n_heads=specification["heads"],
        n_factors=specification["hidden_dim"],
        session_max_len=specification["max_sequence_length"],
        dropout_rate=specification["dropout"],
        loss="softmax",
        lr=specification["learning_rate"],
        batch_size=specification["batch_size"],
        epochs=specification["epochs"],
        get_trainer_func=trainer,
        **own,
    )
    started = time.monotonic()
    model.fit(dataset)
    seconds = time.monotonic() - started
    known = np.flatnonzero(np.isin(np.arange(len(targets)), users) & (targets >= 0))
    recommended = model.recommend(users=known, dataset=dataset, k=10, filter_viewed=True)
    hit = recommended[Columns.Item].to_numpy() == targets[recommended[Columns.User].to_numpy()]
    ndcg = (hit / np.log2(recommended[Columns.Rank].to_numpy() + 1)).sum() / len(known)
    with open(specification["output"], "w", encoding="utf-8") as file:
        json.dump({"seconds": seconds, "NDCG@10": float(ndcg)}, file)


if __name__ == "__main__":
    main()
