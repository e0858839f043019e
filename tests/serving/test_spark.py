"""Scoring in Spark's workers: the same items and scores as in this process."""

import os

import numpy as np
import pandas as pd
import pytest

from katrec.serving.spark import SCHEMA, recommend
from tests.spark import spark  # noqa: F401 (a fixture)

pytestmark = pytest.mark.slow
COUNT = 3000


@pytest.fixture
def model(exported, load_once, make_settings):
    path = exported("katrec", make_settings)[1]
    return str(path), load_once(path)[1]


@pytest.fixture
def histories(generator):
    return [[f"i{item}" for item in generator.permutation(24)[: generator.integers(0, 9)]] for _ in range(COUNT)]


@pytest.fixture
def frame(spark, histories):  # noqa: F811
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "400")
    rows = pd.DataFrame({"user_id": [f"u{number}" for number in range(COUNT)], "history": histories})
    return spark.createDataFrame(rows, "user_id string, history array<string>").repartition(6)


def expected(recommender, histories):
    answers = recommender.recommend(histories, 5)
    return {f"u{number}": items for number, items in enumerate(answers)}


def assert_the_same(rows, answers):
    assert len(rows) == sum(map(len, answers.values()))
    for user, items in rows.sort_values(["user_id", "rank"]).groupby("user_id"):
        assert items["rank"].tolist() == list(range(1, len(items) + 1))
        assert items["item_id"].tolist() == [item for item, _ in answers[user]]
        np.testing.assert_allclose(items["score"], [score for _, score in answers[user]], rtol=1e-5)


def test_items_and_scores_of_one_process(model, histories, frame):
    path, recommender = model
    rows = frame.mapInPandas(recommend(path, k=5), SCHEMA)
    assert rows.schema.simpleString() == "struct<user_id:string,rank:int,item_id:string,score:float>"
    assert_the_same(rows.toPandas(), expected(recommender, histories))


def test_a_worker_that_dies_is_tried_again(model, histories, frame, tmp_path):
    path, recommender = model
    score, marker = recommend(path, k=5), str(tmp_path / "died")

    def dies_once(frames):
        from pyspark import TaskContext

        context = TaskContext.get()
        for number, one in enumerate(score(frames)):
            if (context.partitionId(), context.attemptNumber(), number) == (3, 0, 1):
                with open(marker, "w") as file:
                    file.write(str(os.getpid()))
                os._exit(1)
            yield one

    assert_the_same(frame.mapInPandas(dies_once, SCHEMA).toPandas(), expected(recommender, histories))
    assert os.path.exists(marker)


def test_a_worker_loads_the_model_once_and_holds_one_batch(model, frame):
    score = recommend(model[0], k=5)

    def counted(frames):
        from katrec.serving import spark as module

        sizes = []

        def watched():
            for one in frames:
                sizes.append(len(one))
                yield one

        for one in score(watched()):
            loads = module._loaded.cache_info().misses
            yield pd.DataFrame({"loads": [loads], "largest": [max(sizes)], "rows": [one["user_id"].nunique()]})

    rows = frame.mapInPandas(counted, "loads int, largest int, rows int").toPandas()
    # More batches than workers, and still one load in each.
    assert len(rows) > 6 and (rows["loads"] == 1).all() and (rows["largest"] <= 400).all()


def test_what_is_wrong_is_said(model, frame):
    for changed, k, message in ((frame.drop("history"), 5, "no column history"), (frame, 1000, "k is 1000")):
        with pytest.raises(Exception, match=message):
            changed.mapInPandas(recommend(model[0], k=k), SCHEMA).collect()
