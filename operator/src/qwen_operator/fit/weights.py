"""How many bytes a model's weights take on one GPU."""

from dataclasses import dataclass

from qwen_operator.fit.shapes import Shape

VOCAB_PADDING = 64
"""vLLM pads the vocabulary to a multiple of this."""


@dataclass(frozen=True, slots=True)
class Count:
    """Parameters of one GPU.

    Attributes:
        linear: weights of linear layers, which quantisation shrinks.
        plain: embeddings, lm_head, norms, biases and routers, which it does not.
    """

    linear: int
    plain: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.linear + self.plain


def kv_heads_of_rank(shape: Shape, tensor: int) -> int:
    """Key/value heads on one of `tensor` GPUs: where there are fewer heads than GPUs, copies."""
    return max(1, shape.kv_heads // tensor)


def _layer(shape: Shape, tensor: int, *, sparse: bool) -> Count:
    queries = shape.heads // tensor * shape.head_dim
    keys = kv_heads_of_rank(shape, tensor) * shape.head_dim
    linear = shape.hidden * (queries + 2 * keys) + queries * shape.hidden
    plain = 2 * shape.hidden
    plain += queries + 2 * keys if shape.bias else 0
    plain += 2 * shape.head_dim if shape.qk_norm else 0
    if not sparse:
        return Count(linear + 3 * shape.hidden * shape.intermediate // tensor, plain)
    linear += shape.experts * 3 * shape.hidden * shape.moe_intermediate // tensor
    linear += 3 * shape.hidden * shape.shared_intermediate // tensor
    plain += shape.hidden * shape.experts + (shape.hidden if shape.shared_intermediate else 0)
    return Count(linear, plain)


def stage_layers(shape: Shape, pipeline: int) -> int:
    """Layers of the stage that has most: vLLM gives what remains to the stages in the middle."""
    return -(-shape.layers // pipeline)


def parameters(shape: Shape, tensor: int = 1, pipeline: int = 1) -> Count:
    """Parameters on the GPU that has most of them.

    Args:
        shape: the model.
        tensor: GPUs that share each layer; it divides the query heads.
        pipeline: groups that share the layers.
    """
    layers = stage_layers(shape, pipeline)
    dense = shape.dense_layers if shape.experts else shape.layers
    sparse_share = (shape.layers - dense) / shape.layers
    sparse = round(layers * sparse_share)
    parts = [_layer(shape, tensor, sparse=True)] * sparse
    parts += [_layer(shape, tensor, sparse=False)] * (layers - sparse)
    padded = -(-shape.vocab // VOCAB_PADDING) * VOCAB_PADDING
    # One stage holds the embedding and another lm_head; a single stage holds both.
    tables = 2 if pipeline == 1 and not shape.tied else 1
    embeddings = tables * padded * shape.hidden // tensor
    return Count(
        sum(each.linear for each in parts),
        sum(each.plain for each in parts) + embeddings + shape.hidden,
    )


def weight_bytes(shape: Shape, tensor: int, pipeline: int, dtype_bytes: int) -> int:
    """Bytes of weights on the GPU that has most of them.

    Args:
        shape: the model, with its quantisation.
        tensor: GPUs that share each layer.
        pipeline: groups that share the layers.
        dtype_bytes: of a weight that is not quantised.
    """
    count = parameters(shape, tensor, pipeline)
    bits = 8 * dtype_bytes if shape.scheme is None else shape.scheme.bits
    return int(count.linear * bits / 8) + count.plain * dtype_bytes
