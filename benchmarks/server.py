"""Latency and throughput of examples/server.py over the loopback interface, beside the direct call.

  python -m benchmarks.server --saved_model=models/beauty [--datasets_dir=datasets] [--clients=50]

Clients keep their connections and send one request after the other. Needs the extra `serve`.
"""

import http.client
import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from absl import flags

from benchmarks.measure import elapsed, report, seconds
from benchmarks.nearest_neighbours import histories_of
from katrec.common import command_line
from katrec.data.dataset import load
from katrec.serving import Recommender

FLAGS = flags.FlagValues()
flags.DEFINE_string("saved_model", None, "An export of a model.", required=True, flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_integer("clients", 50, "How many ask at the same time.", 1, flag_values=FLAGS)
flags.DEFINE_integer("requests", 40, "Requests of each client.", 2, flag_values=FLAGS)
TOP = 10


def main():
    recommender = Recommender.load(FLAGS.saved_model, FLAGS.datasets_dir)
    histories = histories_of(load(FLAGS.datasets_dir, recommender.metadata["dataset"]), 2000)
    direct = [elapsed(recommender.recommend, [history], TOP) for history in histories[:200]]
    batch = seconds(lambda: recommender.recommend(histories[:512], TOP), 3, 512)
    port = _free_port()
    command = [sys.executable, "examples/server.py", FLAGS.saved_model, f"--port={port}"]
    process = subprocess.Popen([*command, f"--datasets_dir={FLAGS.datasets_dir}"])
    try:
        _wait(port, process)
        alone, _ = _ask(port, histories, 1, 200)
        crowd, all_together = _ask(port, histories, FLAGS.clients, FLAGS.requests)
    finally:
        process.terminate()
        process.wait()
    rows = [
        ("direct call, one history", _percentiles(direct), f"{1 / np.mean(direct):,.0f}"),
        ("direct call, 512 histories, each: median (range)", batch, f"{1 / batch.median:,.0f}"),
        ("server, 1 client", _percentiles(alone), f"{1 / np.mean(alone):,.0f}"),
        (f"server, {FLAGS.clients} clients", _percentiles(crowd), f"{len(crowd) / all_together:,.0f}"),
    ]
    about = f"{recommender.metadata['model']} on {recommender.metadata['dataset']}"
    columns = ("what", "milliseconds: p50, p99", "histories a second")
    report(f"{about}, top {TOP}", rows, columns)


def _ask(port, histories, clients, requests):
    """Returns the seconds of each request and those of all together."""

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"Content-Type": "application/json"}
        times = []
        for turn in range(requests):
            body = json.dumps({"history": histories[(number * requests + turn) % len(histories)], "k": TOP})
            started = time.perf_counter()
            connection.request("POST", "/recommend", body, headers)
            answer = json.loads(connection.getresponse().read())
            times.append(time.perf_counter() - started)
            assert answer["items"], answer
        return times

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        times = list(pool.map(client, range(clients)))
    return np.concatenate(times), time.perf_counter() - started


def _wait(port, process):
    while True:
        assert process.poll() is None, "the server ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _percentiles(times):
    return f"{np.percentile(times, 50) * 1e3:.1f}, {np.percentile(times, 99) * 1e3:.1f}"


if __name__ == "__main__":
    command_line.run(main, FLAGS)
