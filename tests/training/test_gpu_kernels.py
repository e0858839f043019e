"""Without a GPU at hand: every operation of training and ranking has a kernel that a GPU could run."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from katrec.evaluation.ranking import full_ranks, sampled_ranks
from katrec.layers.tracing import traced
from katrec.models import precision
from katrec.models.build import build
from katrec.models.registry import MODELS
from katrec.training.batches import Batches
from katrec.training.self_supervised_pretraining import SelfSupervisedPretraining
from katrec.training.step import TrainSteps
from tests.conftest import slow_but


def nodes(function):
    """All nodes of a traced function and of those that it calls, and the names of the latter."""
    definition = function.graph.as_graph_def()
    called = definition.library.function
    inner = [node for one in called for node in one.node_def]
    return [*definition.node, *inner], {one.signature.name for one in called}


def without_gpu_kernel(function):
    """The operations, with their types, that would stay on the host."""
    all_nodes, functions = nodes(function)
    assert len(all_nodes) > 10
    missing = set()
    for node in all_nodes:
        if node.op in functions:
            continue
        # A kernel registered for DEFAULT runs on every device.
        fits = [
            kernel
            for kernel in kernels.get_registered_kernels_for_op(node.op).kernel
            if kernel.device_type in ("GPU", "DEFAULT")
            and all(
                node.attr[constraint.name].type in constraint.allowed_values.list.type
                for constraint in kernel.constraint
            )
        ]
        if not fits:
            missing.add((node.op, *(str(attr.type) for attr in node.attr.values() if attr.HasField("type"))))
    return missing


def gpu_build():
    return any(kernel.device_type == "GPU" for kernel in kernels.get_registered_kernels_for_op("MatMul").kernel)


pytestmark = pytest.mark.skipif(not gpu_build(), reason="this TensorFlow was built without GPU kernels")


@pytest.mark.parametrize("policy", slow_but(["float32", "mixed_bfloat16", "mixed_float16"], "float32"))
@pytest.mark.parametrize(
    "values",
    [
        {"model": "bert4rec"},
        {"model": "katrec"},
        {"model": "katrec", "attention": "differentiable"},
        {"model": "katrec_next_item"},
        {"model": "katrec_next_item", "window_negatives": False, "recurrent_inputs": True},
        {"model": "sasrec"},
        {"model": "sasrec", "sasrec_loss": "cross_entropy"},
        {"model": "sasrec", "sasrec_loss": "gbce"},
        {"model": "esasrec"},
        {"model": "s3rec"},
        {"model": "gru4rec"},
        {"model": "gru4rec++"},
        {"model": "bprmf"},
    ],
    ids=[
        "bert4rec",
        "refreshed",
        "differentiable",
        "next item",
        "next item, recurrent",
        "sasrec",
        "sasrec softmax",
        "sasrec gBCE",
        "esasrec",
        "s3rec",
        "gru4rec",
        "gru4rec++",
        "bprmf",
    ],
)
def test_training(tiny_dataset, make_settings, monkeypatch, policy, values):
    monkeypatch.setattr(precision, "policy", lambda mixed: tf.keras.mixed_precision.Policy(policy))
    config = make_settings(**values)
    model = build(config, tiny_dataset)
    steps = TrainSteps(model, config, tf.distribute.get_strategy())
    batches = Batches(tiny_dataset, model, config).from_step(0)
    number = tf.constant(0)
    assert without_gpu_kernel(steps._run.get_concrete_function(batches, number, number)) == set()
    if model.triplet_variables:
        assert without_gpu_kernel(model.encoder._current_attention.get_concrete_function()) == set()


def test_s3recs_first_stage(tiny_dataset, make_settings):
    config = make_settings(model="s3rec", pretrain_batch_size=16)
    model = build(config, tiny_dataset)
    stage = SelfSupervisedPretraining(model, tiny_dataset, config, tf.distribute.get_strategy(), None, silent=True)
    number = tf.constant(0)
    run = stage._train_steps._run.get_concrete_function(stage._batches.from_step(0), number, number)
    assert without_gpu_kernel(run) == set()


@pytest.mark.parametrize("name", MODELS)
def test_ranking(tiny_dataset, make_settings, name):
    model = build(make_settings(model=name), tiny_dataset)
    batch = np.zeros((2, 5), np.int32)
    functions = [traced(model).get_concrete_function((batch, batch[:, 0]))]
    vectors, items, bias = tf.zeros([2, 16]), tf.zeros([24, 16]), tf.zeros([24])
    functions.append(sampled_ranks.get_concrete_function(vectors, items, bias, batch))
    for length in (0, 10):
        functions.append(
            full_ranks.get_concrete_function(vectors, items, bias, batch[:, 0], batch[:, :2], length=length)
        )
    assert [without_gpu_kernel(function) for function in functions] == [set()] * 4


def test_an_operation_without_a_kernel_is_found():
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([4, 4], tf.float32)])
    def lengths(text, x):
        for _ in range(30):
            x = tf.linalg.matmul(x, x)
        return tf.strings.length(text), x

    assert {op for op, *_ in without_gpu_kernel(lengths.get_concrete_function())} == {"StringLength"}
