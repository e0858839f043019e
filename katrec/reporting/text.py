"""Metrics as lines for a terminal."""


def metric_lines(splits):
    """Returns a line a split and protocol.

    Args:
      splits: {"test": {"sampled": {"Hit@1": …, …}, "full": {…}}, …} as in result.json.
    """
    return "\n".join(
        f"{split:5} {protocol:7} " + "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        for split, protocols in splits.items()
        for protocol, metrics in protocols.items()
    )
