"""examples/server.py over the loopback interface, and its page in a browser."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from katrec.settings import Settings
from tests.conftest import ROOT, SMALL

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")


@pytest.fixture(scope="module")
def served(exported, load_once, datasets_dir):
    """The address of a server of the tiny model, and the `Recommender` that answers the same directly."""
    path = exported("katrec", lambda **values: Settings(**{**SMALL, **values}))[1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "examples/server.py", path, f"--port={port}", f"--datasets_dir={datasets_dir}"]
    process = subprocess.Popen([str(one) for one in command], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, process.stderr.read()
            try:
                assert ask(address, "/health")["status"] == "ok"
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        yield address, load_once(path)[1]
    finally:
        process.terminate()
        process.wait()


def ask(address, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def refused(address, path, body):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(address, path, body)
    assert caught.value.code == 422
    [detail] = json.load(caught.value)["detail"]
    return ".".join(map(str, detail["loc"])), detail["msg"]


def same(answer, expected):
    assert [one["item"] for one in answer["items"]] == [item for item, _ in expected]
    np.testing.assert_allclose([one["score"] for one in answer["items"]], [score for _, score in expected], atol=1e-4)


def test_fifty_clients_get_what_the_model_gives(served):
    address, model = served
    generator = np.random.default_rng(1)
    requests = []
    for _ in range(300):
        request = {"history": [f"i{item}" for item in generator.integers(0, 24, generator.integers(0, 6))]}
        request["k"] = int(generator.integers(1, 20))
        if generator.random() < 0.3:
            request["exclude"] = [f"i{item}" for item in generator.integers(0, 24, 3)]
        if generator.random() < 0.3:
            request["include"] = [f"i{item}" for item in generator.integers(0, 24, generator.integers(0, 5))]
        request["allow_seen"] = bool(generator.random() < 0.2)
        requests.append(request)
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda request: ask(address, "/recommend", request), requests))
    for request, answer in zip(requests, answers):
        filters = {name: request[name] for name in ("exclude", "include", "allow_seen") if name in request}
        same(answer, model.recommend([request["history"]], request["k"], **filters)[0])
        assert answer["unknown"] == []


def test_titles_and_unknown_ids(served):
    address, _ = served
    answer = ask(address, "/recommend", {"history": ["i1", "nothing", 7], "k": 2})
    assert answer["unknown"] == ["nothing", "7"]
    assert answer["items"][0]["title"] == "Film " + answer["items"][0]["item"][1:]
    assert ask(address, "/items?query=FILM%201&limit=2") == [
        {"item": "i1", "title": "Film 1"},
        {"item": "i10", "title": "Film 10"},
    ]


def test_explanations(served):
    address, model = served
    answer = ask(address, "/explain", {"history": ["i1", "i2"], "item": "i9"})
    expected = model.explain(["i1", "i2"], "i9")
    assert answer["text"] == expected.text() and len(answer["paths"]) == len(expected.paths) > 0
    assert answer["paths"][0]["hops"][0]["source"] == "Film 9"
    assert answer["picture"].startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize(
    "path, body, field, message",
    [
        ("/recommend", {"history": ["i1"], "k": 0}, "body.k", "greater than or equal to 1"),
        ("/recommend", {"history": ["i1"], "k": 21}, "body.k", "less than or equal to 20"),
        ("/recommend", {"history": "i1"}, "body.history", "valid list"),
        ("/recommend", {"k": 3}, "body.history", "required"),
        ("/recommend", {"history": ["i1"] * 10_001}, "body.history", "at most 10000"),
        ("/recommend", {"history": ["i1"], "user": "u1"}, "body.user", "does not know users"),
        ("/recommend", {"history": ["i1"], "allow_seen": "perhaps"}, "body.allow_seen", "valid boolean"),
        ("/explain", {"history": ["i1"], "item": "nothing"}, "body.item", "does not know the item 'nothing'"),
    ],
)
def test_a_wrong_request_is_told_its_field(served, path, body, field, message):
    where, said = refused(served[0], path, body)
    assert where == field and message in said
    assert ask(served[0], "/health")["status"] == "ok"


@pytest.fixture
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="the extra `test` is not installed")
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        pytest.skip("this machine has no Chromium with its driver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,1000"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    driver.implicitly_wait(20)
    yield driver
    driver.quit()


def test_the_page_recommends_and_explains(served, browser):
    address, model = served
    browser.get(address)
    assert "katrec on tiny, 24 items" in browser.find_element("css selector", "#model:not(:empty)").text
    for query in ("Film 1", "i2"):
        browser.find_element("id", "query").send_keys(query)
        found = browser.find_element("css selector", "#found button")
        assert query.lower() in found.text.lower()
        found.click()
    assert [one.text for one in browser.find_elements("css selector", "#history li span")] == ["Film 1", "Film 2"]
    expected = [f"Film {item[1:]}" for item, _ in model.recommend([["i1", "i2"]], 10)[0]]
    for _ in range(100):
        shown = [one.text for one in browser.find_elements("css selector", "#recommended li span")]
        if shown == expected:
            break
        time.sleep(0.1)
    assert shown == expected
    browser.find_element("css selector", "#recommended button").click()
    title = browser.find_element("css selector", "#why-title:not(:empty)")
    assert title.text == f"Why {expected[0]}?"
    assert "attention: Film" in browser.find_element("id", "text").text
    browser.find_element("css selector", "#history button").click()
    assert [one.text for one in browser.find_elements("css selector", "#history li span")] == ["Film 2"]
