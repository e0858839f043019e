"""From a source's tables to the prepared data set: the seven steps of docs/data.md, without loops over rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd

from katrec.common.command_line import UserError
from katrec.common.id_tables import check_items
from preprocess.k_core import core_rows
from preprocess.review import filter_warnings, graph_warnings
from preprocess.tables import Tables

MIN_HELD_OUT_LENGTH = 3


class Settings(NamedTuple):
    """The filters.

    Attributes:
      min_interactions: each kept user and item has at least so many interactions.
      min_entity_count: each kept entity that is no item stands in at least so many triplets.
      min_relation_count: each kept relation stands in at least so many triplets.
      cold_items: whether linked items that are left without interactions are kept, too.
    """

    min_interactions: int = 10
    min_entity_count: int = 10
    min_relation_count: int = 50
    cold_items: bool = False


class Prepared(NamedTuple):
    """The prepared data set, as docs/data.md describes it.

    Attributes:
      offsets: int64[users + 1]; user u's training items are items[offsets[u]:offsets[u + 1]], oldest first.
      items: int32[training interactions].
      valid: int32[users], the last item but one, or -1 for a user with fewer than three interactions.
      test: int32[users], the last item, or -1.
      triplets: int32[triplets, 3], columns head, relation, tail, sorted, each once.
      item_ids, user_ids, entity_ids, relation_ids: raw ids by row; entity_ids begins with the items' entities ("" for
        an item without a link).
      titles: of each item ("" where unknown).
      cold: int32[cold items], those that no training interaction has, where cold items were asked for; else empty.
      report: one dict for each step: what it kept and dropped, and the flag that decides it.
      warnings: lines that say what was lost.
    """

    offsets: np.ndarray
    items: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    triplets: np.ndarray
    item_ids: np.ndarray
    user_ids: np.ndarray
    entity_ids: np.ndarray
    relation_ids: np.ndarray
    titles: np.ndarray
    cold: np.ndarray
    report: list[dict[str, Any]]
    warnings: list[str]


class Kept(NamedTuple):
    """What the filters left, whichever engine ran them.

    Attributes:
      offsets, items, valid, test, user_ids: as in `Prepared`.
      item_ids: those of the interactions, then those without, which stay if a triplet has them.
      triplets: columns head_id, relation_id, tail_id, each row once, in any order.
      links: columns item_id, entity_id, of the kept items.
      num_triplets: how many there were at first.
      linked: raw ids of all items that have a link, and the entities that they are linked to, each once.
      nodes: function that returns the raw ids of the entities in any triplet, each once.
    """

    offsets: np.ndarray
    items: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    item_ids: np.ndarray
    user_ids: np.ndarray
    triplets: pd.DataFrame
    links: pd.DataFrame
    num_triplets: int
    linked: tuple[np.ndarray, np.ndarray]
    nodes: Callable[[], np.ndarray]


def prepare(tables: Tables, settings: Settings) -> Prepared:
    """Runs the pipeline.

    Args:
      tables: the raw tables.
      settings: the filters.

    Returns:
      The prepared data set.

    Raises:
      UserError: nothing is left after a filter.
    """
    report = list(tables.report)
    users, items = (pd.factorize(tables.interactions[column])[0] for column in ("user_id", "item_id"))
    interactions = tables.interactions[core_rows(users, items, settings.min_interactions)]
    say_core(report, len(tables.interactions), len(interactions), settings)
    (user, user_ids), (item, item_ids) = (_numbered(interactions[name]) for name in ("user_id", "item_id"))
    # A stable sort by time, then by user, leaves rows of one user and time in file order.
    order = np.lexsort((interactions["timestamp"].to_numpy(), user))
    sequences = leave_one_out(user[order], item[order].astype(np.int32), len(user_ids))
    item_ids = catalogue(item_ids, tables.links, settings)
    links = tables.links[tables.links["item_id"].isin(pd.Index(item_ids))]
    triplets = tables.triplets
    kept = Kept(
        *sequences,
        item_ids,
        user_ids,
        _filtered(tables, links, settings, report),
        links,
        len(triplets),
        (tables.links["item_id"].unique(), tables.links["entity_id"].unique()),
        lambda: pd.concat([triplets["head_id"], triplets["tail_id"]]).unique(),
    )
    return assemble(kept, tables.titles, report, settings)


def catalogue(item_ids: np.ndarray, links: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Returns the raw ids of the items that are kept: those of the interactions, then linked ones without any.

    Args:
      item_ids: of the interactions that are left, object[n].
      links: column item_id.
      settings: whether the latter are wanted.
    """
    if not settings.cold_items:
        return item_ids
    linked = pd.Index(links["item_id"].unique())
    return np.concatenate([item_ids, linked[~linked.isin(item_ids)].to_numpy(dtype=object)])


def say_core(report: list[dict[str, Any]], before: int, kept: int, settings: Settings) -> None:
    """Adds what the k-core dropped.

    Raises:
      UserError: nothing is left.
    """
    say(report, f"{settings.min_interactions}-core, interactions", before, kept, "--min_interactions")
    if not before:
        raise UserError("there are no interactions: the table has no row")
    if not kept:
        raise UserError(
            f"no interactions are left after the {settings.min_interactions}-core of {before} rows; "
            "lower --min_interactions"
        )


def assemble(kept: Kept, titles: Optional[pd.DataFrame], report: list[dict[str, Any]], settings: Settings) -> Prepared:
    """Returns the prepared data set of what the filters left.

    Args:
      kept: that.
      titles: columns item_id, title, or None.
      report: of the filters; what is found here is added.
      settings: the filters.
    """
    kept, cold = _with_cold(kept, report, settings)
    triplets, entity_ids, relation_ids = _graph(kept.triplets, kept.links, kept.item_ids, report)
    lost = [*filter_warnings(report), *graph_warnings(kept, len(triplets))]
    known = np.full(len(kept.item_ids), "", dtype=object)
    if titles is not None:
        known = titles.set_index("item_id")["title"].reindex(kept.item_ids).fillna("").to_numpy()
    return Prepared(
        kept.offsets,
        kept.items,
        kept.valid,
        kept.test,
        triplets,
        kept.item_ids,
        kept.user_ids,
        entity_ids,
        relation_ids,
        known,
        cold,
        report,
        lost,
    )


def _with_cold(kept, report, settings):
    """Returns what is kept without cold items that no triplet has, and the numbers of the cold ones."""
    if not settings.cold_items:
        return kept, np.zeros(0, np.int32)
    num_warm = 1 + max(int(one.max(initial=-1)) for one in (kept.items, kept.valid, kept.test))
    nodes = pd.Index(pd.concat([kept.triplets["head_id"], kept.triplets["tail_id"]]).unique())
    described = kept.links["item_id"][kept.links["entity_id"].isin(nodes)]
    stay = (np.arange(len(kept.item_ids)) < num_warm) | np.isin(kept.item_ids, described.to_numpy(dtype=object))
    say(report, "linked items without interactions, in a triplet", len(stay) - num_warm, stay.sum() - num_warm)
    item_ids = kept.item_ids[stay]
    kept = kept._replace(item_ids=item_ids, links=kept.links[kept.links["item_id"].isin(pd.Index(item_ids))])
    cold = np.flatnonzero(np.bincount(kept.items, minlength=len(item_ids)) == 0)
    check_items(item_ids[cold], "links: item_id")
    return kept, cold.astype(np.int32)


def _numbered(column):
    """Returns a number for each row and the ids by number, in order of first appearance."""
    numbers, ids = pd.factorize(column)
    return numbers, np.asarray(ids, dtype=object)


def leave_one_out(
    users: np.ndarray, items: np.ndarray, num_users: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Splits each user's items: the last is the test item, the last but one the validation item (Section 4).

    Users with fewer than three interactions keep all of theirs for training.

    Args:
      users: int[n], sorted.
      items: int32[n], in time order within each user.
      num_users: users are 0 … num_users − 1.

    Returns:
      offsets, items, valid, test as in `Prepared`.
    """
    counts = np.bincount(users, minlength=num_users)
    ends = np.cumsum(counts)
    held_out = counts >= MIN_HELD_OUT_LENGTH
    last = ends[held_out] - 1
    valid, test = (np.full(num_users, -1, np.int32) for _ in range(2))
    test[held_out] = items[last]
    valid[held_out] = items[last - 1]
    training = np.ones(len(items), bool)
    training[last] = training[last - 1] = False
    offsets = np.concatenate([[0], np.cumsum(counts - 2 * held_out)]).astype(np.int64)
    return offsets, items[training], valid, test


def _filtered(tables, kept_links, settings, report):
    """Step 4: the triplets near the items, of frequent entities and relations."""
    links = tables.links
    triplets = tables.triplets.drop_duplicates()
    # Hops start at every linked item, dropped by the k-core or not: what the graph says does not depend on the filter.
    near = _within_two_hops(triplets, links["entity_id"])
    counts = pd.concat([near["head_id"], near["tail_id"]]).value_counts()
    frequent = counts.index[counts >= settings.min_entity_count].union(pd.Index(kept_links["entity_id"].unique()))
    dense = near[near["head_id"].isin(frequent) & near["tail_id"].isin(frequent)]
    occurrences = dense.groupby("relation_id", sort=False)["relation_id"].transform("size")
    kept = dense[occurrences >= settings.min_relation_count]
    say_graph(report, [len(one) for one in (tables.triplets, triplets, near, dense, kept)], settings)
    return kept


def say_graph(report: list[dict[str, Any]], counts: Sequence[int], settings: Settings) -> None:
    """Adds what the graph's filters dropped.

    Args:
      report: added to.
      counts: triplets at first, without repeated ones, near linked items, of frequent entities, of frequent relations.
      settings: the filters.
    """
    given, distinct, near, dense, kept = counts
    say(report, "repeated triplets", given, distinct)
    say(report, "triplets within two hops of a linked item", distinct, near)
    step = f"triplets of entities with {settings.min_entity_count} occurrences"
    say(report, step, near, dense, "--min_entity_count")
    step = f"triplets of relations with {settings.min_relation_count} occurrences"
    say(report, step, dense, kept, "--min_relation_count")


def _graph(kept, kept_links, item_ids, report):
    """Step 5: the kept triplets in dense ids, items first."""
    relations, relation_ids = pd.factorize(kept["relation_id"], sort=True)
    heads, tails, entity_ids = _node_ids(kept, kept_links, item_ids, report)
    frame = pd.DataFrame({"head": heads["node"], "relation": relations[heads["row"]]}).assign(row=heads["row"])
    frame = frame.merge(tails, on="row").rename(columns={"node": "tail"})
    ids = frame[["head", "relation", "tail"]].drop_duplicates().sort_values(["head", "relation", "tail"])
    return ids.to_numpy(np.int32).reshape(-1, 3), entity_ids, np.asarray(relation_ids)


def _within_two_hops(triplets, linked):
    linked = pd.Index(linked.unique())
    first = triplets[triplets["head_id"].isin(linked) | triplets["tail_id"].isin(linked)]
    reached = linked.union(pd.Index(pd.concat([first["head_id"], first["tail_id"]]).unique()))
    return triplets[triplets["head_id"].isin(reached) | triplets["tail_id"].isin(reached)]


def _node_ids(triplets, links, item_ids, report):
    """Nodes of the triplets' heads and tails; an entity that is several items gives each of them its triplets."""
    rows = pd.Series(np.arange(len(item_ids)), index=item_ids)
    item_nodes = pd.DataFrame({"entity_id": links["entity_id"], "node": rows.reindex(links["item_id"]).to_numpy()})
    seen = pd.Index(pd.concat([triplets["head_id"], triplets["tail_id"]]).unique())
    bare = int((~item_nodes["entity_id"].isin(seen)).sum())
    report.append({"step": "items linked to an entity", "kept": len(links), "without a triplet": bare})
    others = np.sort(seen.difference(pd.Index(links["entity_id"])).to_numpy(dtype=object))
    other_nodes = pd.DataFrame({"entity_id": others, "node": len(item_ids) + np.arange(len(others))})
    nodes = pd.concat([item_nodes, other_nodes], ignore_index=True)
    ends = [
        pd.DataFrame({"entity_id": triplets[column].to_numpy(), "row": np.arange(len(triplets))})
        .merge(nodes, on="entity_id")[["row", "node"]]
        .astype(np.int64)
        for column in ("head_id", "tail_id")
    ]
    entity_of_item = links.set_index("item_id")["entity_id"].reindex(item_ids).fillna("").to_numpy()
    return *ends, np.concatenate([entity_of_item, others])


def say(report: list[dict[str, Any]], step: str, before: int, after: int, flag: Optional[str] = None) -> None:
    """Adds a filter's row, as in `Prepared.report`."""
    row = {"step": step, "before": int(before), "kept": int(after), "dropped": int(before - after)}
    report.append({**row, "flag": flag} if flag else row)
