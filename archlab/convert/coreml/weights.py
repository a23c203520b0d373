"""The weights of a Core ML package in fewer bits, by passes of coremltools'."""

from typing import Any

from coremltools.optimize import coreml


def compression(precision: str) -> dict[str, Any]:
    """The pass that stores the larger weights (over 2,048 numbers) in fewer bits, with its configuration.

    Args:
        precision: ``int8``: whole numbers of −127 to 127 with a scale for each output channel; ``palette6``,
            ``palette4``: 64 or 16 values for each tensor, by k-means. Of others there is no pass.
    """
    if precision == "int8":
        eight_bits = coreml.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8")
        return {"compression::linear_quantize_weights": coreml.OptimizationConfig(eight_bits)}
    if precision.startswith("palette"):
        bits = int(precision.removeprefix("palette"))
        few_values = coreml.OpPalettizerConfig(mode="kmeans", nbits=bits)
        return {"compression::palettize_weights": coreml.OptimizationConfig(few_values)}
    return {}
