"""Numbers that others published: the paper's Tables 2 and 3, and S3-Rec's for the data sets of its repository."""

_COLUMNS = ("gru4rec", "gru4rec++", "sasrec", "bert4rec", "katrec")
_TABLE_2_METRICS = ("NDCG@1", "NDCG@5", "NDCG@10", "Hit@5", "Hit@10", "MAP")
_TABLE_2 = {
    "amazon-book": (
        (.3485, .3464, .3749, .4344, .4706), (.4404, .4358, .5267, .5715, .6110), (.4598, .4574, .5600, .6022, .6401),
        (.5202, .5148, .6594, .6910, .7321), (.58, .5814, .7621, .7856, .8217), (.42, .4259, .5065, .5539, .5907),
    ),
    "lastfm": (
        (.3646, .3523, .6771, .6339, .6931), (.4648, .4448, .7765, .7606, .7725), (.4881, .4674, .7930, .7786, .7911),
        (.5531, .5263, .8600, .8281, .8426), (.6249, .5958, .9105, .8836, .9001), (.4577, .4357, .7598, .7509, .7618),
    ),
    "yelp2018": (
        (.3946, .4148, .3723, .4149, .4405), (.5041, .5143, .5703, .6039, .629), (.5278, .5395, .6068, .6400, .663),
        (.5991, .6021, .7434, .7690, .7927), (.6721, .68, .8551, .8796, .899), (.49, .515, .5351, .5706, .5946),
    ),
}
TABLE_3_METRICS = ("NDCG@10", "Hit@10")
_VARIANTS = ("none", "no_attention", "level1", "connection", "no_pretrain", "concat")
_TABLE_3 = {
    "amazon-book": ((.6401, .6371, .6386, .621, .6306, .6318), (.8217, .8178, .8195, .801, .8092, .8142)),
    "lastfm": ((.7911, .7836, .7853, .763, .7587, .7855), (.9001, .8967, .8957, .8796, .8752, .8908)),
    "yelp2018": ((.663, .6567, .6546, .6458, .6359, .6515), (.899, .8954, .8929, .885, .8696, .8881)),
}
# Zhou et al., "S3-Rec", CIKM 2020; MAP is their MRR.
_S3_COLUMNS = ("gru4rec", "sasrec", "bert4rec", "S3-Rec")
_S3 = {
    "beauty": (
        (.1337, .1870, .1531, .2192), (.2268, .2848, .2622, .3407), (.2584, .3156, .2975, .3732),
        (.3125, .3741, .3640, .4502), (.4106, .4696, .4739, .5506), (.2308, .2852, .2614, .3340),
    ),
    "lastfm-s3": (
        (.0642, .1211, .1220, .1743), (.1228, .2330, .2409, .3156), (.1550, .2755, .2871, .3583),
        (.1817, .3385, .3569, .4523), (.2817, .4706, .4991, .5835), (.1405, .2364, .2424, .3072),
    ),
}


def _by_column(columns, metrics, rows):
    return {column: dict(zip(metrics, values)) for column, values in zip(columns, zip(*rows))}


# {data set: {column: {metric: value}}}: models of Table 2 and of S3-Rec's paper, variants of Table 3.
TABLE_2 = {name: _by_column(_COLUMNS, _TABLE_2_METRICS, rows) for name, rows in _TABLE_2.items()}
TABLE_3 = {name: _by_column(_VARIANTS, TABLE_3_METRICS, rows) for name, rows in _TABLE_3.items()}
S3_REC = {name: _by_column(_S3_COLUMNS, _TABLE_2_METRICS, rows) for name, rows in _S3.items()}
