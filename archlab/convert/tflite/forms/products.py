"""Matrix products, convolutions and attention."""

import numpy as np

from archlab.convert.graph import Constant, Value
from archlab.convert.tflite.forms.form import Form, stored
from archlab.convert.tflite.forms.movement import padded
from archlab.convert.tflite.forms.norms import softmax
from archlab.convert.tflite.layout import Order, Shape, lying, moved_last, plain, same_memory
from archlab.convert.tflite.weights import product_weight
from archlab.convert.tflite.writer import Stored, Writer, as_array

_CHANNELS_LAST = (0, 2, 3, 1)


def _linear(w: Writer, value: Value, x: Value, weight: Constant, bias: Constant | None) -> Stored:
    order = w.find(x).order
    order = order if order[-1] == x.rank - 1 else moved_last(order, x.rank - 1)
    inputs = [w.read(x, order), product_weight(w, as_array(weight.tensor))]
    if bias is not None:
        inputs.append(w.constant(as_array(bias.tensor)))
    options = {"": "FullyConnectedOptions", "keepNumDims": True}
    return stored(
        value, w.emit("FULLY_CONNECTED", inputs, lying(value.shape, order), version=5, options=options), order
    )


def _conv2d(
    w: Writer,
    value: Value,
    x: Value,
    weight: Constant,
    bias: Constant | None,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    groups: int,
) -> Stored:
    channels, kernel = x.shape[1], weight.shape[2:]
    tensor = w.read(x, _CHANNELS_LAST)
    keeps = stride == (1, 1) and all(2 * p == d * (k - 1) for p, d, k in zip(padding, dilation, kernel, strict=True))
    if not keeps and any(padding):
        around = (0, 0, *padding)
        tensor = padded(w, tensor, x.shape, around, around, _CHANNELS_LAST)
    by_channel = groups == channels and weight.shape[1] == 1
    options = {
        "": "DepthwiseConv2DOptions" if by_channel else "Conv2DOptions",
        "padding": w.file.enum("Padding", "SAME" if keeps else "VALID"),
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
    }
    if by_channel:
        options["depthMultiplier"] = weight.shape[0] // channels
    array = as_array(weight.tensor)
    kernels = (
        w.constant(array.transpose(1, 2, 3, 0))  # in float32: XNNPACK takes no dynamically quantised ones
        if by_channel
        else product_weight(w, array.transpose(_CHANNELS_LAST))
    )
    shift = np.zeros(weight.shape[0], np.float32) if bias is None else as_array(bias.tensor)  # TFLite's must have one
    convolved = w.emit(
        "DEPTHWISE_CONV_2D" if by_channel else "CONV_2D",
        [tensor, kernels, w.constant(shift)],
        lying(value.shape, _CHANNELS_LAST),
        version=6 if groups > 1 and not by_channel else 1,
        options=options,
    )
    return stored(value, convolved, _CHANNELS_LAST)


def _matmul(w: Writer, value: Value, a: Value, b: Value) -> Stored:
    rank = value.rank
    (first, first_turned), (second, second_turned) = (_factor(w, x, rank) for x in (a, b))
    product = _product(w, first, second, value.shape, turned=(first_turned, second_turned))
    return stored(value, product, plain(rank))


def _factor(w: Writer, x: Value, rank: int) -> tuple[int, bool]:
    """A factor of a product of that rank, and whether its last two dimensions are turned."""
    order = plain(x.rank)
    turned: Order = (*order[:-2], order[-1], order[-2])
    lies_turned = not isinstance(x, Constant) and not same_memory(x.shape, w.find(x).order, order)
    lies_turned = lies_turned and same_memory(x.shape, w.find(x).order, turned)
    tensor = w.read(x, turned if lies_turned else order)
    shape = lying(x.shape, turned if lies_turned else order)
    return w.reshaped(tensor, shape, (1,) * (rank - x.rank) + shape), lies_turned


def _product(w: Writer, a: int, b: int, shape: Shape, turned: tuple[bool, bool] = (False, False)) -> int:
    options = {"": "BatchMatMulOptions", "adjX": turned[0], "adjY": turned[1]}
    return w.emit("BATCH_MATMUL", [a, b], shape, options=options)


def _attention(
    w: Writer,
    value: Value,
    query: Value,
    key: Value,
    mixed: Value,
    mask: Constant | None,
    heads: int,
    scale: float,
    normalizer: str,
) -> Stored:
    """Heads are a batch of products. No other form is faster on XNNPACK at 4096 tokens and 8 heads of 40.

    The scale goes into the queries or the keys, whichever are fewer; 1/M of relu into values or results likewise.
    """
    (batch, length, _), keys = query.shape, key.shape[1]
    scores_shape = (batch, heads, length, keys)
    scale_keys = keys < length and key is not mixed
    q = _heads(w, query, heads, 1.0 if scale_keys else scale)
    k = _heads(w, key, heads, scale if scale_keys else 1.0)
    scores = _product(w, q, k, scores_shape, turned=(False, True))
    if mask is not None:
        scores = w.emit("ADD", [scores, w.constant(as_array(mask.tensor))], scores_shape, options={"": "AddOptions"})
    by_count = 1.0
    if normalizer == "softmax":
        weights = softmax(w, scores, scores_shape)
    else:
        weights, by_count = w.emit("RELU", [scores], scores_shape), 1 / keys
    v = _heads(w, mixed, heads, by_count)
    width = value.shape[2] // heads
    product = _product(w, weights, v, (batch, heads, length, width))
    tokens = _turned(w, product, (batch, heads, length, width)) if heads > 1 else product
    return Stored(w.reshaped(tokens, (batch, length, heads, width), value.shape), value.shape, plain(3))


def _heads(w: Writer, x: Value, heads: int, factor: float) -> int:
    """[B, L, C], times a factor → [B, heads, L, C / heads]"""
    batch, length, channels = x.shape
    tensor = w.read(x, plain(3))
    if factor != 1:
        tensor = w.emit("MUL", [tensor, w.numbers(factor)], x.shape, options={"": "MulOptions"})
    if heads == 1:
        return w.reshaped(tensor, x.shape, (batch, 1, length, channels))
    split = (batch, length, heads, channels // heads)
    return _turned(w, w.reshaped(tensor, x.shape, split), split)


def _turned(w: Writer, tensor: int, shape: Shape) -> int:
    """[A, B, C, D] → [A, C, B, D]"""
    return w.transposed(tensor, (0, 2, 1, 3), (shape[0], shape[2], shape[1], shape[3]))


FORMS: dict[str, Form] = {"linear": _linear, "conv2d": _conv2d, "matmul": _matmul, "attention": _attention}
