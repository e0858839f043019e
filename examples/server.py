"""A server for an exported model, to copy and change, with a page to try it on.

  pip install ".[serve]"
  python examples/server.py models/ml-100k [--host=127.0.0.1] [--port=8000] [--datasets_dir=datasets]

POST /recommend  {"history": ["50", "172"], "k": 10, "user": null, "exclude": [], "include": null, "allow_seen": false}
POST /explain    {"history": ["50", "172"], "item": "204", "user": null}
GET  /items?query=star&limit=20     items whose title or id has the text
GET  /health
GET  /                              the page;  /docs: the requests in detail

Requests that arrive while the model is busy are answered together, in one call. A wrong request is answered with status
422 and the name of the field. It has no login and no encryption: put it behind a proxy that has them.
"""

import argparse
import asyncio
import base64
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Optional, Union

import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from katrec.serving import Recommender
from katrec.serving.drawing import draw

# The most requests that are answered in one call, and the longest history that is read.
BATCH, LONGEST = 256, 10_000
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.html")
Id = Union[str, int]


class RecommendRequest(BaseModel):
    history: list[Id] = Field(max_length=LONGEST, description="Item ids, oldest first.")
    k: int = Field(10, ge=1, description="How many items.")
    user: Optional[Id] = Field(None, description="For a model that knows its users.")
    exclude: list[Id] = Field([], max_length=LONGEST, description="Items that are not to be recommended.")
    include: Optional[list[Id]] = Field(None, max_length=LONGEST, description="The only items that may be.")
    allow_seen: bool = Field(False, description="Whether items of the history may be recommended.")


class ExplainRequest(BaseModel):
    history: list[Id] = Field(max_length=LONGEST, description="Item ids, oldest first.")
    item: Id = Field(description="The item to explain.")
    user: Optional[Id] = None


class Batches:
    """Answers requests with one thread; those that wait meanwhile are the next batch."""

    def __init__(self, model):
        self.model = model
        self.thread = ThreadPoolExecutor(1)
        self.waiting = asyncio.Queue()

    async def answer(self, request):
        answered = asyncio.get_running_loop().create_future()
        await self.waiting.put((request, answered))
        return await answered

    async def run(self, function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)

    async def work(self):
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < BATCH and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            # One call has one set of options for all.
            groups = {}
            for request, answered in batch:
                groups.setdefault((request.include is None, request.allow_seen), []).append((request, answered))
            for group in groups.values():
                requests, futures = zip(*group)
                try:
                    answers = await self.run(self._recommend, requests)
                except Exception as error:
                    answers = [error] * len(futures)
                for future, answer in zip(futures, answers):
                    if future.done():  # The client has gone.
                        continue
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)

    def _recommend(self, requests):
        filtered = requests[0].allow_seen or any(one.exclude or one.include is not None for one in requests)
        lists = {
            "exclude": [one.exclude for one in requests],
            "include": None if requests[0].include is None else [one.include for one in requests],
            "allow_seen": requests[0].allow_seen,
        }
        users = ["" if one.user is None else one.user for one in requests] if self.model.takes_users else None
        histories, k = [one.history for one in requests], max(one.k for one in requests)
        answers = self.model.recommend(histories, k, users, **(lists if filtered else {}))
        return [items[: one.k] for one, items in zip(requests, answers)]


def wrong(field, message):
    """Returns what answers a request with status 422 in the words of FastAPI's own checks."""
    return RequestValidationError([{"loc": ("body", field), "msg": message, "type": "value_error"}])


def create_app(path, datasets_dir="datasets"):
    """Returns the application that serves the SavedModel in `path`."""
    model = Recommender.load(path, datasets_dir)
    # Every answer names the ids that are not known.
    warnings.simplefilter("ignore", UserWarning)
    titles = model.titles
    names = [(item, f"{titles.get(item, '')} {item}".strip()) for item in model.items]
    batches = Batches(model)
    # The first call costs more: it is not a user's.
    model.recommend([[]], 1)

    @asynccontextmanager
    async def lifespan(app):
        worker = asyncio.create_task(batches.work())
        yield
        worker.cancel()

    app = FastAPI(title="KATRec", lifespan=lifespan)

    def check(request):
        if request.user is not None and not model.takes_users:
            raise wrong("user", "this model does not know users, only histories: leave it out")

    @app.post("/recommend")
    async def recommend(request: RecommendRequest):
        check(request)
        if request.k > model.max_k:
            raise wrong("k", f"Input should be less than or equal to {model.max_k}, for which this model was exported")
        answer = await batches.answer(request)
        items = [{"item": item, "title": titles.get(item, ""), "score": score} for item, score in answer]
        given = [*request.history, *(request.include or [])]
        return {"items": items, "unknown": [str(item) for item in given if not model.knows(str(item))]}

    @app.post("/explain")
    async def explain(request: ExplainRequest):
        check(request)
        if not model.knows(str(request.item)):
            raise wrong("item", f"the model does not know the item {str(request.item)!r}")
        made = await batches.run(model.explain, request.history, str(request.item), request.user)
        picture = await batches.run(_picture, made)
        paths = [{"weight": weight, "hops": [hop._asdict() for hop in hops]} for hops, weight in made.paths]
        attention = [{"name": name, "weight": weight} for name, weight in made.attention]
        return {"text": made.text(), "paths": paths, "attention": attention, "note": made.note, "picture": picture}

    @app.get("/items")
    async def items(query: str = "", limit: int = 20):
        text = query.casefold()
        found = [(name.casefold().find(text), len(name), name, item) for item, name in names if text in name.casefold()]
        return [{"item": item, "title": titles.get(item, "")} for *_, item in sorted(found)[: max(0, min(limit, 100))]]

    @app.get("/health")
    async def health():
        about = {name: model.metadata[name] for name in ("dataset", "model", "items")}
        return {"status": "ok", **about, "max_k": model.max_k}

    @app.get("/", include_in_schema=False)
    async def page():
        return FileResponse(PAGE)

    return app


def _picture(explanation):
    """Returns the paths as a picture that a page can show, "" where there are none."""
    if not explanation.paths:
        return ""
    file = io.BytesIO()
    draw(explanation).savefig(file, format="svg")
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("saved_model", help="folder that python -m katrec.export wrote, or that of its versions")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0: from other machines too)")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--datasets_dir", default="datasets", help="folder of the prepared data sets, for explanations")
    arguments = parser.parse_args()
    application = create_app(arguments.saved_model, arguments.datasets_dir)
    uvicorn.run(application, host=arguments.host, port=arguments.port, log_level="warning")
