"""Options of every command that measures: the device, and how a network is run on it."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--device", default="tflite", show_default=True, help="See: archlab devices"),
    click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True),
    click.option("--precision", default="fp32", show_default=True, help="fp32, fp16 or int8 weights."),
    click.option("--compute", help="The unit that runs it: cpu, gpu, npu, cpu_and_ne, …  [default: the device's]"),
    click.option("--attention", help="plain, split_einsum or split_einsum_v2.  [default: the device's]"),
    click.option(
        "--converter", default="archlab", show_default=True, help="What writes TFLite files, or litert-torch."
    ),
    click.option("--polynomial-sines", is_flag=True, help="For TFLite runtimes without SIN and COS."),
    click.option("--allow-throttled", is_flag=True, help="Measure although the device is hot or saves power."),
)


def execution_options(command: Command) -> Command:
    """Adds the options in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
