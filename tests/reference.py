"""The paper's formulas in plain numpy, written with loops and independently of `katrec`."""

import math

import numpy as np


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def leaky_relu(x):
    return np.where(x >= 0, x, 0.2 * x)


def softmax(x):
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def layer_norm(x, gamma, beta):
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-12) * gamma + beta


def dissimilarity(projection, head, relation, tail):
    """s(h, r, t) = ‖Wʳe_h + e_r − Wʳe_t‖²; projection is Wʳ, k × d."""
    return np.sum((projection @ head + relation - projection @ tail) ** 2)


def attention(edges, nodes, projections, relations):
    """π′ of each edge (h, r, t); projections[r] is Wʳ, k × d."""
    logits = np.array(
        [(projections[r] @ nodes[t]) @ np.tanh(projections[r] @ nodes[h] + relations[r]) for h, r, t in edges]
    )
    weights = np.empty(len(edges))
    for i, (head, _, _) in enumerate(edges):
        same = [j for j, edge in enumerate(edges) if edge[0] == head]
        weights[i] = math.exp(logits[i]) / sum(math.exp(logits[j]) for j in same)
    return weights


def ego_embeddings(edges, weights, nodes):
    """e_{N_h} = Σ π′(h, r, t) e_t for every node h."""
    result = np.zeros_like(nodes)
    for (head, _, tail), weight in zip(edges, weights):
        result[head] += weight * nodes[tail]
    return result


def aggregate(node, ego, w1, w2):
    """W₁ and W₂ as they multiply row vectors, d⁽ˡ⁻¹⁾ × d⁽ˡ⁾."""
    return leaky_relu((node + ego) @ w1) + leaky_relu((node * ego) @ w2)


def transformer_layer(x, mask, weights, heads):
    """Section 3.3.2 for one sequence x, T × q; mask is false at padding. Also returns the attention weights."""
    q = x.shape[1]
    size = q // heads
    query, key, value = (x @ weights["query_key_value"][:, i * q : (i + 1) * q] for i in range(3))
    outputs, attentions = [], []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        logits = query[:, part] @ key[:, part].T / math.sqrt(size)
        logits[:, ~mask] = -np.inf
        attentions.append(softmax(logits))
        outputs.append(attentions[-1] @ value[:, part])
    x = layer_norm(x + np.concatenate(outputs, axis=1) @ weights["output"], *weights["attention_norm"])
    inner = gelu(x @ weights["inner"][0] + weights["inner"][1])
    return layer_norm(x + inner @ weights["outer"][0] + weights["outer"][1], *weights["output_norm"]), attentions


def recurrent_states(x, mask, kernel, recurrent_kernel, biases):
    """States h[T, q] of gated recurrent units in the reset-after form, whose kernels have the columns z, r, h.

        z = σ(x W_z + h U_z + b), r = σ(x W_r + h U_r + b), h' = z h + (1 − z) tanh(x W_h + b + r (h U_h + c))

    Where the mask is false the state stays as it is.
    """
    state, states = np.zeros(x.shape[-1]), []
    for row, real in zip(x, mask):
        of_input = np.split(row @ kernel + biases[0], 3)
        of_state = np.split(state @ recurrent_kernel + biases[1], 3)
        update, reset = (1 / (1 + np.exp(-of_input[i] - of_state[i])) for i in (0, 1))
        new = update * state + (1 - update) * np.tanh(of_input[2] + reset * of_state[2])
        state = new if real else state
        states.append(state)
    return np.array(states)


def metrics(scores):
    """Means over users of the metrics; scores is a list of (target's score, other scores)."""
    totals = {}
    for target, others in scores:
        rank = 1 + sum(1 for other in others if other >= target)
        for k in (1, 5, 10):
            totals[f"Hit@{k}"] = totals.get(f"Hit@{k}", 0) + (1 if rank <= k else 0)
            totals[f"NDCG@{k}"] = totals.get(f"NDCG@{k}", 0) + (1 / math.log2(rank + 1) if rank <= k else 0)
        totals["MAP"] = totals.get("MAP", 0) + 1 / rank
    return {name: total / len(scores) for name, total in totals.items()}
