"""Table 2: models by metrics, the way the paper reports them."""

import numpy as np

METRICS = ("NDCG@1", "NDCG@5", "NDCG@10", "Hit@5", "Hit@10", "MAP")
PROTOCOLS = {"sampled": "the target among {negatives} sampled negatives", "full": "the target among all items"}
TITLES = {"bprmf": "BPR-MF", "gru4rec": "GRU4Rec", "gru4rec++": "GRU4Rec++", "sasrec": "SASRec", "bert4rec": "BERT4Rec",
          "katrec": "KATRec"}


def table2(results, num_negatives, notes):
    """Returns the table as Markdown: sampled ranking as in the paper, then full ranking.

    Means over the seeds on the test items, ± the standard deviation over seeds where there are several; the best
    bold, the next underlined; the last column compares KATRec with the best other model. Hit@1 is NDCG@1.

    Args:
      results: {model: [result.json contents, one a seed]}; the columns stand in this order.
      num_negatives: negatives of the sampled ranking.
      notes: lines that say how the numbers were made.

    Raises:
      ValueError: no results.
    """
    if not results:
        raise ValueError("a table needs at least one result")
    dataset = next(iter(results.values()))[0]["dataset"]
    parts = [f"# Table 2 on {dataset}", ""]
    for protocol, description in PROTOCOLS.items():
        parts += [f"## Test, {protocol} ranking: {description.format(negatives=num_negatives)}", ""]
        parts += _rows(results, protocol) + [""]
    parts += ["## How", "", *(f"- {note}" for note in notes), ""]
    return "\n".join(parts)


def _rows(results, protocol):
    compared = "katrec" in results and len(results) > 1
    header = ["metric", *(TITLES[model] for model in results), *(["KATRec's improvement"] if compared else [])]
    rows = [_row(header), _row(["---"] * len(header))]
    for metric in METRICS:
        values = {model: [run["test"][protocol][metric] for run in runs] for model, runs in results.items()}
        means = {model: float(np.mean(value)) for model, value in values.items()}
        cells = [metric, *_cells(values, means)]
        if compared:
            best_other = max(mean for model, mean in means.items() if model != "katrec")
            cells.append(f"{means['katrec'] / best_other - 1:+.2%}" if best_other else "—")
        rows.append(_row(cells))
    return rows


def _cells(values, means):
    ranked = sorted(means, key=means.get, reverse=True)
    for model, value in values.items():
        cell = f"{means[model]:.4f}"
        if len(value) > 1:
            cell += f" ± {np.std(value, ddof=1):.4f}"
        if len(ranked) > 1 and model == ranked[0]:
            cell = f"**{cell}**"
        elif len(ranked) > 1 and model == ranked[1]:
            cell = f"<u>{cell}</u>"
        yield cell


def _row(cells):
    return f"| {' | '.join(cells)} |"
