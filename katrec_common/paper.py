"""The paper's Table 1."""

STATISTICS = ("users", "items", "interactions", "entities", "relations", "triplets")
TABLE_1 = {
    "amazon-book": (70679, 24915, 846434, 88572, 39, 2557746),
    "lastfm": (23566, 48123, 8057269, 58266, 9, 464567),
    "yelp2018": (45919, 45538, 1185068, 90961, 42, 1853704),
}
