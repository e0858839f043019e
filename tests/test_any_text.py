"""Any text as ids and titles goes the whole way, and comes back the same: preparing, training, SavedModel."""

import csv
import io
import warnings

import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import katrec
from katrec.common.command_line import UserError
from katrec.common.id_tables import plain
from katrec.common.ids import fault, split
from preprocess.pipeline import Settings
from tests.conftest import SMALL

ids = st.text(min_size=1, max_size=8).filter(lambda text: fault(text) is None)
QUICK = katrec.Settings(
    **{
        **SMALL,
        "model": "katrec",
        "train_steps": 2,
        "eval_every_steps": 1,
        "pretrain_epochs": 1,
        "pretrain_kg_epochs": 1,
        "num_layers": 1,
    }
)


@pytest.mark.slow
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    items=st.lists(ids, min_size=6, max_size=6, unique=True),
    users=st.lists(ids, min_size=5, max_size=5, unique=True),
    titles=st.lists(st.text(max_size=12), min_size=6, max_size=6),
    literals=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=6, max_size=6),
)
def test_ids_and_titles_come_back(tmp_path_factory, items, users, titles, literals):
    folder = str(tmp_path_factory.mktemp("any"))
    rows = [(user, items[(number + step) % 6], step) for number, user in enumerate(users) for step in range(5)]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    triplets = pd.DataFrame({"head_id": items, "relation_id": "has", "tail_id": literals})
    named = pd.DataFrame({"item_id": items, "title": titles})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        katrec.prepare_frames("any", interactions, triplets, None, named, folder, Settings(0, 0, 0))
        run = katrec.fit("any", QUICK, f"{folder}/run", folder)
    model = run.export(f"{folder}/model")
    saved = tf.saved_model.load(f"{folder}/model").signatures
    served = [item.decode() for item in saved["item_table"]()["items"].numpy()]
    assert sorted(served) == sorted(items)
    assert run.dataset.raw_ids("user") == users
    assert model.titles == {item: plain(title) for item, title in zip(items, titles) if plain(title)}
    # Every item is found under its own id: the score of the one that it stands for.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(6):
            history = [items[number], items[(number + 1) % 6]]
            line = io.StringIO()
            csv.writer(line, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(history)
            assert split(line.getvalue().rstrip("\n")) == history
            [answer] = model.recommend([history], 6)
            assert {item for item, _ in answer} == set(items) - set(history)


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\rb", "a\x85b", "a\u2028b", "", "\udc80"])
def test_what_cannot_come_back_is_refused_before_anything_is_written(tmp_path, text):
    for column in ("user_id", "item_id"):
        columns = {"user_id": ["u", "u", "u"], "item_id": ["a", "b", "c"], "timestamp": [1, 2, 3]}
        frame = pd.DataFrame(columns, dtype=object)
        frame.loc[1, column] = text
        with pytest.raises(UserError, match=f"interactions: row 1: {column}"):
            katrec.prepare_frames("any", frame, datasets_dir=str(tmp_path), settings=Settings(0, 0, 0))
    assert list(tmp_path.iterdir()) == []
