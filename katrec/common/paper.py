"""Numbers that others published: the paper's Tables 1 to 3, and S3-Rec's for the data sets of its repository."""

from __future__ import annotations

from collections.abc import Sequence

STATISTICS = ("users", "items", "interactions", "entities", "relations", "triplets")
TABLE_1 = {
    "amazon-book": (70679, 24915, 846434, 88572, 39, 2557746),
    "lastfm": (23566, 48123, 8057269, 58266, 9, 464567),
    "yelp2018": (45919, 45538, 1185068, 90961, 42, 1853704),
}

_COLUMNS = ("gru4rec", "gru4rec++", "sasrec", "bert4rec", "katrec")
_TABLE_2_METRICS = ("NDCG@1", "NDCG@5", "NDCG@10", "Hit@5", "Hit@10", "MAP")
_TABLE_2 = {
    "amazon-book": (
        (0.3485, 0.3464, 0.3749, 0.4344, 0.4706),
        (0.4404, 0.4358, 0.5267, 0.5715, 0.6110),
        (0.4598, 0.4574, 0.5600, 0.6022, 0.6401),
        (0.5202, 0.5148, 0.6594, 0.6910, 0.7321),
        (0.58, 0.5814, 0.7621, 0.7856, 0.8217),
        (0.42, 0.4259, 0.5065, 0.5539, 0.5907),
    ),
    "lastfm": (
        (0.3646, 0.3523, 0.6771, 0.6339, 0.6931),
        (0.4648, 0.4448, 0.7765, 0.7606, 0.7725),
        (0.4881, 0.4674, 0.7930, 0.7786, 0.7911),
        (0.5531, 0.5263, 0.8600, 0.8281, 0.8426),
        (0.6249, 0.5958, 0.9105, 0.8836, 0.9001),
        (0.4577, 0.4357, 0.7598, 0.7509, 0.7618),
    ),
    "yelp2018": (
        (0.3946, 0.4148, 0.3723, 0.4149, 0.4405),
        (0.5041, 0.5143, 0.5703, 0.6039, 0.629),
        (0.5278, 0.5395, 0.6068, 0.6400, 0.663),
        (0.5991, 0.6021, 0.7434, 0.7690, 0.7927),
        (0.6721, 0.68, 0.8551, 0.8796, 0.899),
        (0.49, 0.515, 0.5351, 0.5706, 0.5946),
    ),
}
TABLE_3_METRICS = ("NDCG@10", "Hit@10")
_VARIANTS = ("none", "no_attention", "level1", "connection", "no_pretrain", "concat")
_TABLE_3 = {
    "amazon-book": ((0.6401, 0.6371, 0.6386, 0.621, 0.6306, 0.6318), (0.8217, 0.8178, 0.8195, 0.801, 0.8092, 0.8142)),
    "lastfm": ((0.7911, 0.7836, 0.7853, 0.763, 0.7587, 0.7855), (0.9001, 0.8967, 0.8957, 0.8796, 0.8752, 0.8908)),
    "yelp2018": ((0.663, 0.6567, 0.6546, 0.6458, 0.6359, 0.6515), (0.899, 0.8954, 0.8929, 0.885, 0.8696, 0.8881)),
}
# Zhou et al., "S3-Rec", CIKM 2020; MAP is their MRR.
_S3_COLUMNS = ("gru4rec", "sasrec", "bert4rec", "S3-Rec")
_S3 = {
    "beauty": (
        (0.1337, 0.1870, 0.1531, 0.2192),
        (0.2268, 0.2848, 0.2622, 0.3407),
        (0.2584, 0.3156, 0.2975, 0.3732),
        (0.3125, 0.3741, 0.3640, 0.4502),
        (0.4106, 0.4696, 0.4739, 0.5506),
        (0.2308, 0.2852, 0.2614, 0.3340),
    ),
    "lastfm-s3": (
        (0.0642, 0.1211, 0.1220, 0.1743),
        (0.1228, 0.2330, 0.2409, 0.3156),
        (0.1550, 0.2755, 0.2871, 0.3583),
        (0.1817, 0.3385, 0.3569, 0.4523),
        (0.2817, 0.4706, 0.4991, 0.5835),
        (0.1405, 0.2364, 0.2424, 0.3072),
    ),
}


def _by_column(
    columns: Sequence[str], metrics: Sequence[str], rows: Sequence[Sequence[float]]
) -> dict[str, dict[str, float]]:
    return {column: dict(zip(metrics, values)) for column, values in zip(columns, zip(*rows))}


# {data set: {column: {metric: value}}}: models of Table 2 and of S3-Rec's paper, variants of Table 3.
TABLE_2 = {name: _by_column(_COLUMNS, _TABLE_2_METRICS, rows) for name, rows in _TABLE_2.items()}
TABLE_3 = {name: _by_column(_VARIANTS, TABLE_3_METRICS, rows) for name, rows in _TABLE_3.items()}
S3_REC = {name: _by_column(_S3_COLUMNS, _TABLE_2_METRICS, rows) for name, rows in _S3.items()}
