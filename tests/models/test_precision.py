import numpy as np
import pytest
import tensorflow as tf

from katrec.models import precision
from katrec.models.build import build
from katrec.training.step import TrainSteps
from tests.conftest import slow_but


@pytest.mark.parametrize(
    "flags, vendor, name",
    [
        ({"avx512f", "avx512_bf16"}, "AuthenticAMD", "mixed_bfloat16"),
        ({"avx512f", "avx512_bf16"}, "GenuineIntel", "float32"),
        ({"avx512_bf16", "amx_bf16"}, "GenuineIntel", "mixed_bfloat16"),
        ({"avx2"}, "AuthenticAMD", "float32"),
        (set(), "", "float32"),
    ],
)
def test_a_cpu_gets_what_it_multiplies_quickly(monkeypatch, capsys, flags, vendor, name):
    monkeypatch.setattr(precision, "_cpu", lambda: (flags, vendor))
    assert precision.policy(True).name == name
    assert ("going on in float32" in capsys.readouterr().out) == (name == "float32")
    assert precision.policy(False).name == "float32"


def test_this_machines_processor_is_read():
    flags, vendor = precision._cpu()
    assert not flags or ("fpu" in flags and vendor)


@pytest.mark.parametrize(
    "capability, name",
    [
        ((8, 0), "mixed_bfloat16"),
        ((9, 0), "mixed_bfloat16"),
        ((7, 5), "mixed_float16"),
        ((6, 1), "float32"),
    ],
)
def test_a_gpu_gets_what_it_multiplies_quickly(monkeypatch, capability, name):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    assert precision.policy(True).name == name


@pytest.mark.parametrize("policy", slow_but(["mixed_bfloat16", "mixed_float16"], "mixed_bfloat16"))
@pytest.mark.parametrize("name", ["katrec", "bert4rec", "sasrec", "gru4rec"])
def test_16_bit_training_follows_float32(tiny_dataset, make_settings, monkeypatch, policy, name):
    config = make_settings(
        model=name,
        sasrec_loss="cross_entropy",
        mixed_precision=True,
        hidden_dropout=0,
        attention_dropout=0,
        message_dropout=0,
        train_steps=60,
        warmup_steps=1,
        learning_rate=2e-3,
    )
    sequences = tf.constant(tiny_dataset.items[None, :8].repeat(4, axis=0))
    triplets = np.zeros((1, 4, 4), np.int32) if name == "katrec" else np.zeros((0, 0, 4), np.int32)
    unused = tf.zeros([4], tf.int32), tf.zeros([4, 0], tf.int32)
    losses = {}
    for chosen in ("float32", policy):
        monkeypatch.setattr(precision, "policy", lambda mixed, chosen=chosen: tf.keras.mixed_precision.Policy(chosen))
        model = build(config, tiny_dataset)
        assert model.precision == chosen.replace("mixed_", "")
        assert {variable.dtype for variable in model.variables} == {tf.float32}
        steps = TrainSteps(model, config, tf.distribute.get_strategy())
        batches = iter(tf.data.Dataset.from_tensors((sequences, *unused, triplets)).repeat())
        losses[chosen] = []
        for step in range(0, 60, 10):
            steps(batches, step, 10)
            losses[chosen].append(steps.take_losses()[0])
    assert losses["float32"][-1] < 0.8 * losses["float32"][0]
    np.testing.assert_allclose(losses[policy], losses["float32"], rtol=0.1)


@pytest.mark.parametrize(
    "values",
    [
        {"model": "katrec"},
        {"model": "katrec", "user_modeling": True},
        {"model": "sasrec"},
        {"model": "gru4rec"},
        {"model": "bprmf"},
    ],
)
def test_scores_are_float32_and_near(tiny_dataset, make_settings, monkeypatch, values):
    scores = []
    for chosen in ("float32", "mixed_bfloat16"):
        monkeypatch.setattr(precision, "policy", lambda mixed, chosen=chosen: tf.keras.mixed_precision.Policy(chosen))
        model = build(make_settings(**values), tiny_dataset)
        scores.append(model((tf.constant([[1, 2, 3]]), tf.constant([0]))))
    assert scores[1].dtype == tf.float32
    np.testing.assert_allclose(*scores, rtol=0.05, atol=2e-3)
