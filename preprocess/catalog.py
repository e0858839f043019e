"""Where known data sets come from: pages, licences, sizes, and what must be fetched by hand."""

from __future__ import annotations

from typing import NamedTuple, Optional

from preprocess.sources import amazon_book, freebase, lastfm, ml_100k, yelp2018

KGAT = "https://raw.githubusercontent.com/xiangwang1223/knowledge_graph_attention_network/master/Data"
# What, page, licence.
KGAT_TERMS = (
    "KGAT's lists and graph",
    "https://github.com/xiangwang1223/knowledge_graph_attention_network",
    "MIT licence; the data in them has its own terms",
)
FREEBASE_TERMS = ("Freebase's last dump", "https://developers.google.com/freebase", "CC BY")
KB4REC_TERMS = (
    "KB4Rec's links",
    "https://github.com/RUCDM/KB4Rec",
    "non-commercial use, no redistribution, cite Zhao et al. 2019",
)
ML_100K_TERMS = (
    "MovieLens-100K",
    "https://grouplens.org/datasets/movielens/100k/",
    "research use with acknowledgement (Harper and Konstan 2015); no redistribution and no commercial use "
    "without permission",
)


class Remote(NamedTuple):
    """A file that can be fetched.

    Attributes:
      url: where from.
      name: its name in the raw folder.
      size: roughly, for people.
      sha256: where it is publicly known; else the first fetch's is recorded.
      begins: regular expression of the file's first bytes.
      least_bytes: with fewer it is not whole.
      most_bytes: with more it is something else.
    """

    url: str
    name: str
    size: str
    sha256: Optional[str] = None
    begins: bytes = b""
    least_bytes: int = 1
    most_bytes: int = 1 << 30


class Entry(NamedTuple):
    """A data set.

    Attributes:
      terms: (what, page, licence) of each part.
      interactions: `Remote`s of the interaction file; none where it must be brought by hand.
      by_hand: what to do then, or an empty text.
      archives: names under which the interaction file may lie in the raw folder packed.
      file: the interaction file.
      kgat: `Remote`s of the lists and the graph.
      links: KB4Rec's file for the data set, None where its graph is not Freebase.
    """

    terms: tuple[tuple[str, str, str], tuple[str, str, str]]
    interactions: tuple[Remote, ...]
    by_hand: str
    archives: tuple[str, ...]
    file: str
    kgat: tuple[Remote, ...]
    links: Optional[str]


def _kgat(folder, zipped):
    graph = ("kg_final.txt.zip", rb"PK\x03\x04") if zipped else ("kg_final.txt", rb"\d+ \d+ \d+\s")
    lists = [(f"{what}_list.txt", rb"org_id remap_id") for what in ("item", "user", "entity", "relation")]
    return tuple(
        Remote(f"{KGAT}/{folder}/{name}", name, "a few MB", begins=begins, least_bytes=100)
        for name, begins in (*lists, graph)
    )


FREEBASE = Remote(
    "https://commondatastorage.googleapis.com/freebase-public/rdf/freebase-rdf-latest.gz",
    freebase.DUMP,
    "22 GB",
    begins=rb"\x1f\x8b\x08",
    least_bytes=10 << 30,
    most_bytes=100 << 30,
)
ENTRIES = {
    "amazon-book": Entry(
        terms=(
            (
                "Amazon's book ratings",
                "https://jmcauley.ucsd.edu/data/amazon/links.html",
                "for research; cite He and McAuley 2016",
            ),
            KGAT_TERMS,
        ),
        interactions=(
            Remote(
                "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/ratings_Books.csv",
                amazon_book.FILE,
                "0.9 GB",
                begins=rb"[^,\s]+,[^,\s]+,\d(\.\d+)?,\d+\r?\n",
                least_bytes=500 << 20,
                most_bytes=4 << 30,
            ),
        ),
        by_hand="",
        archives=(),
        file=amazon_book.FILE,
        kgat=_kgat("amazon-book", zipped=True),
        links=amazon_book.LINKS,
    ),
    "lastfm": Entry(
        terms=(
            ("LFM-1b", "http://www.cp.jku.at/datasets/LFM-1b/", "withdrawn by its authors for reasons of licence"),
            KGAT_TERMS,
        ),
        interactions=(),
        by_hand="LFM-1b is no longer given out. Who has a copy puts LFM-1b_LEs.txt, or LFM-1b.zip as it was, into",
        archives=("LFM-1b.zip",),
        file=lastfm.FILE,
        kgat=_kgat("last-fm", zipped=False),
        links=lastfm.LINKS,
    ),
    "yelp2018": Entry(
        terms=(
            (
                "Yelp's open data set",
                "https://www.yelp.com/dataset",
                "Yelp's data set terms: academic use, a form must be filled in",
            ),
            KGAT_TERMS,
        ),
        interactions=(),
        by_hand="Fill in the form on the page, choose the JSON release, and put yelp_academic_dataset_review.json, or "
        "the archive as it comes, into",
        archives=("yelp_dataset.tar", "yelp_dataset.tgz", "yelp_dataset.zip", "Yelp-JSON.zip"),
        file=yelp2018.FILE,
        kgat=_kgat("yelp2018", zipped=True),
        links=None,
    ),
}


def terms(source: str, kgat: bool = True) -> tuple[tuple[str, str, str], ...]:
    """Returns (what, page, licence) of each part of a data set that is known by name; none of another's.

    Args:
      source: the data set's name, or another source's.
      kgat: whether its graph is KGAT's, not Freebase's.
    """
    if source == ml_100k.NAME:
        return ML_100K_TERMS, KB4REC_TERMS, FREEBASE_TERMS
    if source not in ENTRIES:
        return ()
    interactions, graph = ENTRIES[source].terms
    return (interactions, graph) if kgat else (interactions, FREEBASE_TERMS, KB4REC_TERMS)


def licence(source: str, kgat: bool = True) -> str:
    """Returns the data's terms as one text, for the manifest; arguments as in `terms`."""
    return "; ".join(f"{what}: {text} ({page})" for what, page, text in terms(source, kgat)) or "not stated"
