"""What a request says of the items that may be recommended: exclude, include, allow_seen, cold_slots."""

from __future__ import annotations

import itertools
import operator
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Optional

import tensorflow as tf

from katrec.serving.unknown import MISSING, as_id

FILTERED = "recommend_filtered"


class Filters:
    """The filters of a stream of histories, as the signature `recommend_filtered` takes them.

    Args:
      exclude: as in `ItemLists`.
      include: the same.
      allow_seen: whether items of the history may be recommended.
      cold_slots: how many of the items are cold ones, or None.
      is_known: function from an id to whether the model knows it; unknown ids to include are worth a warning.

    Raises:
      ValueError: as `ItemLists`, or `cold_slots` is no number from 0.
    """

    def __init__(
        self, exclude: Any, include: Any, allow_seen: bool, cold_slots: Any, is_known: Callable[[str], bool]
    ) -> None:
        if cold_slots is not None and (isinstance(cold_slots, bool) or operator.index(cold_slots) < 0):
            raise ValueError(f"cold_slots is {cold_slots!r}, it must be a whole number from 0")
        self._cold_slots = cold_slots
        self._exclude = ItemLists(exclude, "exclude")
        # The signature takes a row without ids for no list at all.
        self._include = ItemLists(include, "include", is_known, without_ids=MISSING)
        self._allow_seen = bool(allow_seen)

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self._exclude.given or self._include.given or self._allow_seen or self._cold_slots is not None

    @property
    def for_each(self) -> bool:
        """Whether each history has lists of its own."""
        return self._exclude.for_each or self._include.for_each

    def inputs(self, count: int) -> dict[str, tf.Tensor]:
        """Returns the signature's inputs of the next `count` histories; none where there is no filter.

        Raises:
          ValueError: a list is missing.
        """
        if not self.given:
            return {}
        lists = {"exclude": self._exclude.take(count), "include": self._include.take(count)}
        slots = -1 if self._cold_slots is None else operator.index(self._cold_slots)
        return {**lists, "allow_seen": tf.constant(self._allow_seen), "cold_slots": tf.constant(slots)}

    def end(self, stacklevel: int) -> None:
        """Says what was unknown, by a UserWarning; `stacklevel` as in `warnings.warn`, from the caller's view.

        Raises:
          ValueError: a list is left over.
        """
        for lists in (self._exclude, self._include):
            lists.end(stacklevel + 1)


def padded_ids(rows: Sequence[Sequence[str]]) -> tf.Tensor:
    """Returns lists of ids as string[n, widest], "" behind the shorter ones."""
    width = max(1, *map(len, rows)) if rows else 1
    return tf.constant([[*row, *[""] * (width - len(row))] for row in rows], tf.string, [len(rows), width])


class ItemLists:
    """The lists of a stream of histories: one for all of them, or one for each.

    Args:
      given: raw item ids, which hold for every history, or an iterable of such lists, one for each; None for none.
      name: what messages call them.
      is_known: function from an id to whether the model knows it, where unknown ids are worth a warning.
      without_ids: what stands in a list that was given and has no id.

    Raises:
      ValueError: `given` is a text, or no iterable.
    """

    def __init__(
        self, given: Any, name: str, is_known: Optional[Callable[[str], bool]] = None, without_ids: str = ""
    ) -> None:
        self._name = name
        self._without_ids = without_ids
        self._is_known = is_known
        self._unknown, self._example = 0, ""
        self._common: Optional[list[str]] = None
        self._each: Optional[Iterator[Any]] = None
        if given is None:
            return
        if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
            raise ValueError(f"{name} is {given!r}, it must be a list of item ids, or one such list for each history")
        first, all_of_them = _peek(given)
        if isinstance(first, Iterable) and not isinstance(first, (str, bytes)):
            self._each = all_of_them
        else:
            self._common = self._ids(all_of_them)

    @property
    def given(self) -> bool:
        """Whether there are any lists."""
        return self._common is not None or self._each is not None

    @property
    def for_each(self) -> bool:
        """Whether each history has its own."""
        return self._each is not None

    def take(self, count: int) -> tf.Tensor:
        """Returns the next `count` histories' lists, string[count, longest], "" behind the shorter ones.

        Raises:
          ValueError: there are fewer.
        """
        if self._each is None:
            # Made once: it may be a whole catalogue.
            return tf.tile(padded_ids([self._common or [""]]), [count, 1])
        taken = [self._ids(one) for one in itertools.islice(self._each, count)]
        if len(taken) < count:
            raise ValueError(f"there are fewer lists of {self._name} than histories: each history needs one")
        return padded_ids(taken)

    def end(self, stacklevel: int) -> None:
        """Says what was unknown, by a UserWarning; `stacklevel` as in `warnings.warn`, from the caller's view.

        Raises:
          ValueError: a list is left over.
        """
        if self._each is not None and next(self._each, None) is not None:
            raise ValueError(f"there are more lists of {self._name} than histories: each history needs one")
        if self._unknown:
            warnings.warn(
                f"{self._unknown:,} item ids of {self._name} are not known to the model and were passed over, for "
                f"example {self._example!r}",
                UserWarning,
                stacklevel=stacklevel + 1,
            )

    def _ids(self, values):
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise ValueError(f"{self._name} has {values!r} where a history's list of item ids is expected")
        ids = [as_id(value) for value in values]
        if self._is_known is not None:
            unknown = [one for one in ids if one and not self._is_known(one)]
            self._unknown += len(unknown)
            self._example = self._example or (unknown[0] if unknown else "")
        return ids if any(ids) else [self._without_ids]


def _peek(values):
    """Returns the first of the values, None where there is none, and an iterator over all of them."""
    iterator = iter(values)
    first = list(itertools.islice(iterator, 1))
    return (first[0] if first else None), itertools.chain(first, iterator)
