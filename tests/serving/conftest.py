import numpy as np
import pytest
import tensorflow as tf

from katrec.models.build import build
from katrec.serving import Recommender
from katrec.serving.saved_model import write
from katrec.serving.served import Served

VARIANTS = {
    "katrec": {"model": "katrec"},
    "explicit users": {"model": "katrec", "user_modeling": True},
    "next item": {"model": "katrec_next_item"},
    "next item, recurrent": {"model": "katrec_next_item", "recurrent_inputs": True, "num_layers": 1},
    "bert4rec": {"model": "bert4rec"},
    "sasrec": {"model": "sasrec"},
    "gru4rec": {"model": "gru4rec"},
    "gru4rec++": {"model": "gru4rec++"},
    "bprmf": {"model": "bprmf"},
}


@pytest.fixture(scope="session")
def exported(datasets_dir, tiny_dataset, tmp_path_factory):
    """Makes an exported model with random weights: exported(variant, make_settings) gives the model and the folder."""
    made = {}

    def make(variant, make_settings):
        if variant not in made:
            config = make_settings(**VARIANTS[variant])
            model = build(config, tiny_dataset)
            generator = np.random.default_rng(5)
            for variable in model.trainable_variables:
                variable.assign(generator.normal(size=variable.shape) / 2)
            model.refresh_attention()
            folder = datasets_dir / "tiny"
            ids = tiny_dataset.raw_ids("item"), tiny_dataset.raw_ids("user")
            metadata = {
                "dataset": "tiny",
                "model": config.model,
                "items": 24,
                "max_k": 20,
                "data": tiny_dataset.checksums,
            }
            served = Served(model, *ids, tiny_dataset.popularity(), 20, metadata)
            path = tmp_path_factory.mktemp("exported") / "model"
            write(served, str(path), metadata, folder / "items.tsv")
            made[variant] = model, path
        return made[variant]

    return make


@pytest.fixture(scope="session")
def load_once(datasets_dir):
    """Loads a SavedModel once a session."""
    loaded = {}

    def load(path):
        if path not in loaded:
            loaded[path] = tf.saved_model.load(str(path)), Recommender.load(str(path), str(datasets_dir))
        return loaded[path]

    return load
