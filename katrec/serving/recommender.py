"""A SavedModel as a Python object that takes and gives raw ids."""

from __future__ import annotations

import itertools
import json
import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from katrec.common import files
from katrec.common.command_line import UserError, reason
from katrec.data import growth
from katrec.data.growth import NewItems
from katrec.serving import EXTRA, integrity, versions
from katrec.serving.filters import FILTERED, Filters, padded_ids
from katrec.serving.unknown import UnknownIds, as_id

if TYPE_CHECKING:
    from katrec.serving.explanation import Explanation

FRAME_COLUMNS = (("user_id", "item_id", "timestamp"), ("user", "item", "timestamp"))
BATCH_HISTORIES = 512
SILENT_SECONDS = 3


class Recommender:
    """Recommends with an exported model (`python -m katrec.export`); only `explain` needs the data set.

    Args:
      saved: what `tf.saved_model.load` returned.
      titles: {item: title} of the items that have one.
      datasets_dir: folder of the prepared data sets, for explanations.
      additions: what `add_items` added, for explanations.

    Attributes:
      saved: as given.
      metadata: data set, flags, versions, metrics of the model, a dict.
      signatures: the SavedModel's (docs/serving.md).
      takes_users: whether the model knows its users, so that `users` of `recommend` matters.
      max_k: the most items that may be asked for.
    """

    def __init__(
        self,
        saved: Any,
        titles: Mapping[str, str],
        datasets_dir: str = "datasets",
        additions: Sequence[NewItems] = (),
    ) -> None:
        self.saved, self.signatures = saved, saved.signatures
        self.titles = titles
        self.metadata = json.loads(self.signatures["metadata"]()["json"].numpy())
        self.max_k = min(self.metadata["max_k"], self.metadata["items"])
        inputs = self.signatures["serving_default"].structured_input_signature[1]
        self.takes_users = "user" in inputs
        self._table: Any = None
        self._datasets_dir, self._additions = datasets_dir, additions
        self._explainer: Any = None

    @classmethod
    def load(cls, path: str, datasets_dir: str = "datasets") -> Recommender:
        """Loads the SavedModel in `path`, or the newest of its versions there; `datasets_dir` as above.

        Raises:
          UserError: there is none, it is damaged, or it is not an export of this project.
        """
        path = versions.newest(path)
        if not os.path.exists(os.path.join(path, "saved_model.pb")):
            raise UserError(f"{path}: no SavedModel; python -m katrec.export writes one")
        integrity.check(path)
        try:
            saved = tf.saved_model.load(path)
        # An export of version 0.1 has no manifest: TensorFlow finds out.
        except (tf.errors.OpError, OSError, ValueError, IndexError, KeyError) as error:
            raise UserError(f"{path}: the SavedModel is damaged ({reason(error)}); export it again") from None
        if "metadata" not in saved.signatures:
            raise UserError(f"{path}: not a SavedModel that katrec.export wrote")
        items = os.path.join(path, EXTRA, "items.tsv")
        titles = {}
        if os.path.exists(items):
            pairs = zip(files.read_column(items, "item_id"), files.read_column(items, "title"))
            titles = {item: title for item, title in pairs if title}
        return cls(saved, titles, datasets_dir, growth.read(os.path.join(path, EXTRA)))

    def recommend(
        self,
        histories: Any,
        k: int = 10,
        users: Optional[Sequence[Any]] = None,
        *,
        exclude: Any = None,
        include: Any = None,
        allow_seen: bool = False,
        cold_slots: Optional[int] = None,
    ) -> Any:
        """Recommends items that a history does not have.

        Ids may be text, bytes or numbers: "3", b"3" and 3.0 are one id. Ids that the model does not know are passed
        over; how many, with an example, is said by a `UserWarning`.

        Args:
          histories: a sequence of sequences of raw item ids, oldest first; a 2-d numpy array of ids, padded with ""; or
            a pandas DataFrame with the columns user_id, item_id, timestamp (or user, item, timestamp), whose times are
            as in `prepare_frames`.
          k: how many items.
          users: raw user ids, one for each history, for a model that takes users; unknown ones are allowed.
          exclude: raw ids of items that are not to be recommended either: a list for all histories, or, where these are
            no DataFrame, one list for each.
          include: in the same way, the only items that may be; of an empty list none is.
          allow_seen: whether items of the history may be recommended too.
          cold_slots: so many of the k are the best cold items, as far as there are any, and no other is one; without it
            the scores decide.

        Returns:
          A list for each history of pairs (item, score), the best first, fewer than k where no more items are left; of
          a DataFrame a DataFrame with the columns user_id, rank, item_id, score (user and item as they were given) and
          cold. `is_cold` says it of an item of a pair.

        Raises:
          ValueError: k is not within 1 … max_k, the histories are of none of these kinds, the users or the lists are
            not as many, or cold_slots is below 0.
          UserError: a user or a time of a DataFrame is missing or not understood, or an export of an earlier version
            knows no filters.
        """
        filters = self._filters(exclude, include, allow_seen, cold_slots)
        if hasattr(histories, "columns"):
            return self._recommend_frame(histories, k, filters)
        if users is not None and hasattr(histories, "__len__") and len(users) != len(histories):
            raise ValueError(f"{len(histories)} histories and {len(users)} users: each history needs one user")
        unknown = UnknownIds(self.knows)
        answers = list(self._stream(histories, k, users, unknown, filters))
        unknown.warn(stacklevel=2)
        filters.end(stacklevel=2)
        return answers

    def recommend_stream(
        self,
        histories: Iterable[Sequence[Any]],
        k: int = 10,
        users: Optional[Iterable[Any]] = None,
        *,
        exclude: Any = None,
        include: Any = None,
        allow_seen: bool = False,
        cold_slots: Optional[int] = None,
    ) -> Iterator[list[tuple[str, float]]]:
        """Yields what `recommend` lists, for any number of histories, in batches of 512; arguments as there.

        What it warns about is said at the end.
        """
        filters = self._filters(exclude, include, allow_seen, cold_slots)
        unknown = UnknownIds(self.knows)
        yield from self._stream(histories, k, users, unknown, filters)
        unknown.warn(stacklevel=2)
        filters.end(stacklevel=2)

    def _filters(self, exclude, include, allow_seen, cold_slots):
        filters = Filters(exclude, include, allow_seen, cold_slots, self.knows)
        if filters.given and FILTERED not in self.signatures:
            raise UserError("this export is of a version of katrec without filters; export the run again")
        return filters

    def _stream(self, histories, k, users, unknown, filters):
        k = _checked_k(k, self.max_k)
        recommend = self.signatures[FILTERED if filters.given else "recommend"]
        if users is not None and not self.takes_users:
            raise ValueError("this model does not know users, only histories: leave `users` out")
        users = None if users is None else iter(users)
        for batch in _batches(histories):
            of_batch = None if users is None else [as_id(user) for user in itertools.islice(users, len(batch))]
            if of_batch is not None and len(of_batch) < len(batch):
                raise ValueError("there are fewer users than histories: each history needs one user")
            given = recommend(k=tf.constant(k), **self._inputs(batch, of_batch), **filters.inputs(len(batch)))
            unknown.add(batch, given["unknown"].numpy())
            for items, scores in zip(given["items"].numpy(), given["scores"].numpy().tolist()):
                yield [(item.decode(), score) for item, score in zip(items, scores) if item]
        if users is not None and next(users, None) is not None:
            raise ValueError("there are more users than histories: each history needs one user")

    @property
    def items(self) -> list[str]:
        """The ids of all items, in the order of their numbers."""
        return self._items()[0]

    def knows(self, item: str) -> bool:
        """Returns whether the model knows an item id, given as text."""
        return item in self._items()[1]

    def is_cold(self, item: Any) -> bool:
        """Returns whether nobody had interacted with an item when the model was trained.

        Raises:
          ValueError: the item is not known.
        """
        text = as_id(item)
        if not self.knows(text):
            raise ValueError(f"item {item!r} is not known to the model")
        return text in self._items()[3]

    def _items(self):
        """Returns the raw ids, {id: row}, the items' unit vectors, and the cold ones' ids, read once."""
        if self._table is None:
            table = self.signatures["item_table"]()
            # The last columns are bias and popularity, which are no likeness.
            vectors = table["vectors"].numpy()[:, :-2]
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            ids = [one.decode() for one in table["items"].numpy()]
            rows = {one: row for row, one in enumerate(ids)}
            # An export of an earlier version has no cold items.
            cold = (
                frozenset(ids[row] for row in np.flatnonzero(table["cold"].numpy())) if "cold" in table else frozenset()
            )
            self._table = ids, rows, vectors / np.maximum(norms, 1e-12), cold
        return self._table

    def similar_items(self, item: Any, k: int = 10) -> list[tuple[str, float]]:
        """Returns the k items whose vectors have the largest cosine with an item's, pairs (item, cosine).

        Raises:
          ValueError: the item is not known, or k is not within 1 … number of items − 1.
        """
        ids, rows, vectors, _ = self._items()
        row = rows.get(as_id(item))
        if row is None:
            raise ValueError(f"item {item!r} is not known to the model")
        k = _checked_k(k, len(ids) - 1)
        cosines = vectors @ vectors[row]
        cosines[row] = -np.inf
        return [(ids[at], float(cosines[at])) for at in np.argsort(-cosines, kind="stable")[:k]]

    def explain(self, history: Sequence[Any], item: Any, user: Any = None, count: int = 3) -> Explanation:
        """Returns the `Explanation` of an item for a history: paths of the knowledge graph, and attention.

        Args:
          history: raw item ids, oldest first.
          item: the raw id.
          user: raw user id, for a model that takes users.
          count: how many paths. They need the model's data set; where it is absent the explanation says so.

        Raises:
          UserError: the data set was prepared otherwise than the one that the model was trained on.
        """
        if self._explainer is None:
            # pandas and the graph's parts, which recommending does without.
            from katrec.serving.explanation import Explainer

            self._explainer = Explainer(self, self._datasets_dir, self._additions)
        return self._explainer.explain(history, item, user, count)

    def attention(self, history: Sequence[Any], user: Any = None) -> list[tuple[str, float]]:
        """Returns the last layer's attention on the items of a history that are read, mean over the heads.

        Returns:
          Pairs (item, weight), oldest first; an empty list where the model has no such layer.
        """
        if "attention" not in self.signatures:
            return []
        users = None if user is None else [as_id(user)]
        given = self.signatures["attention"](**self._inputs([[as_id(item) for item in history]], users))
        weights = given["weights"].numpy()[0].mean(axis=0).tolist()
        return [(item.decode(), weight) for item, weight in zip(given["items"].numpy()[0], weights) if item]

    def graph_attention(self) -> Optional[np.ndarray]:
        """Returns π′ of the collaborative graph's edges, float32[E], or None for a model without a graph."""
        if "graph_attention" not in self.signatures:
            return None
        return self.signatures["graph_attention"]()["weights"].numpy()

    def _inputs(self, histories, users):
        inputs = {"history": padded_ids(histories)}
        if self.takes_users:
            inputs["user"] = tf.constant(users if users is not None else [""] * len(histories))
        return inputs

    def _recommend_frame(self, frame, k, filters):
        import pandas as pd

        from katrec.common.times import ordered

        if filters.for_each:
            raise ValueError("histories of a DataFrame have no order: give exclude and include as one list for all")
        named = [names for names in FRAME_COLUMNS if set(names) <= set(frame.columns)]
        if not named:
            raise ValueError(
                f"the DataFrame needs the columns {', '.join(FRAME_COLUMNS[0])}; it has {list(frame.columns)}"
            )
        user, item, time = named[0]
        if any(list(frame.columns).count(column) > 1 for column in named[0]):
            raise ValueError(f"a column stands in the DataFrame twice: {list(frame.columns)}")
        frame = frame.reset_index(drop=True)
        missing = frame[user].isna()
        if missing.any():
            raise UserError(f"row {int(missing.argmax())}: {user} is missing")
        times = ordered(frame[time], lambda row: f"row {row}")
        order = np.argsort(times, kind="stable")
        grouped = frame.iloc[order].groupby(user, sort=True, observed=True)[item]
        users, histories = zip(*((one, items.tolist()) for one, items in grouped)) if len(frame) else ((), ())
        unknown = UnknownIds(self.knows)
        answers = self._stream(histories, k, users if self.takes_users else None, unknown, filters)
        cold = self._items()[3]
        rows = [
            (one, rank, found, score, found in cold)
            for one, items in zip(users, answers)
            for rank, (found, score) in enumerate(items, start=1)
        ]
        unknown.warn(stacklevel=3)
        filters.end(stacklevel=3)
        return pd.DataFrame(rows, columns=[user, "rank", item, "score", "cold"])


def _checked_k(k, highest):
    """Returns k as an int; any type of whole number will do."""
    try:
        number = operator.index(k)
    except TypeError:
        number = None
    if number is None or isinstance(k, bool):
        raise ValueError(f"k is {k!r}, it must be a whole number from 1 to {highest}")
    if not 1 <= number <= highest:
        raise ValueError(f"k is {k}, it must be from 1 to {highest}")
    return number


def _batches(histories):
    """Yields lists of at most 512 histories, lists of ids."""
    progress = {"unit": "history", "leave": False, "delay": SILENT_SECONDS, "dynamic_ncols": True}
    batch = []
    for history in tqdm(histories, "recommending", **progress):
        if isinstance(history, (str, bytes)):
            raise ValueError(f"a history must be a sequence of item ids, not the text {history!r}")
        if not isinstance(history, Iterable):
            raise ValueError(f"a history must be a sequence of item ids, not {history!r}; is it a list of histories?")
        batch.append([as_id(item) for item in history])
        if len(batch) == BATCH_HISTORIES:
            yield batch
            batch = []
    if batch:
        yield batch
