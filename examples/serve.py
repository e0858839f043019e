"""Recommends with TensorFlow alone: python examples/serve.py SAVED_MODEL ITEM ITEM …  (oldest first)"""

import sys

import tensorflow as tf

path, *history = sys.argv[1:]
model = tf.saved_model.load(path)
serve = model.signatures["serving_default"]

inputs = {"history": tf.constant([history])}
if "user" in serve.structured_input_signature[1]:
    # The model knows its users; "" stands for one that it has not seen.
    inputs["user"] = tf.constant([""])
answer = serve(**inputs)

for item, score in zip(answer["items"].numpy()[0], answer["scores"].numpy()[0]):
    print(f"{item.decode()}\t{score:.4f}")
if answer["unknown"].numpy()[0]:
    print(f"{answer['unknown'].numpy()[0]} items of the history are not known to the model", file=sys.stderr)
