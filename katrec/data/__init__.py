"""Prepared data sets, the collaborative graph, training windows and negatives."""
