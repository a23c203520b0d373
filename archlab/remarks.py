"""What libraries say that a user of archlab cannot act on: the one list of it, each with the reason. All else is heard.

Native code, which writes past Python, is kept quiet where it converts: `archlab.convert.quiet`.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Literal, NamedTuple


class Remark(NamedTuple):
    """What a library says: by Python's warnings, or by a logger.

    Attributes:
        why: there is nothing to be done about it.
        category: of the warnings, ``module:Class``; imported when it is needed.
        message, module: regular expressions that the message, and the module that warns, begin with; empty for any.
        logger: which logger says it, whatever it says, with those below it; empty for warnings.
    """

    why: str
    category: str = "builtins:Warning"
    message: str = ""
    module: str = ""
    logger: str = ""


Library = Literal["elastic", "fvcore", "matplotlib", "optuna", "pillow", "statsmodels"]

REMARKS: dict[Library, Remark] = {
    "elastic": Remark(
        "torch's launcher tells with a traceback that a process failed; the process has said why in one line",
        logger="torch.distributed.elastic",
    ),
    "fvcore": Remark("operations that it does not count; they are in archlab's table of checks", logger="fvcore"),
    "matplotlib": Remark("a letter that the font lacks; it is drawn as a box", "builtins:UserWarning", "Glyph"),
    "optuna": Remark(
        "a part of it may change; pyproject.toml bounds its versions", "optuna.exceptions:ExperimentalWarning"
    ),
    "pillow": Remark("an oddity of an image that it puts up with; one that it cannot read is counted", module="PIL"),
    "statsmodels": Remark(
        "a coefficient that the trials do not determine; no effect is told of it",
        "statsmodels.tools.sm_exceptions:SingularMatrixWarning",
    ),
}


_AT_IMPORT = {  # what loggers say where there is torchao, which diffusers and transformers import and archlab does not
    "diffusers.quantizers.torchao.torchao_quantizer": "Unable to import `torchao`",  # it was written for another
    "torch.utils._pytree": "<enum ",  # is registered, though torch knows enums by now
    "torchao": "Failed to load ",  # operations of another Python or device
}


@contextmanager
def unheard(library: Library) -> Iterator[None]:
    """Drop that library's remark while the block runs."""
    remark = REMARKS[library]
    if remark.logger:
        logger = logging.getLogger(remark.logger)
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
        return
    module, _, name = remark.category.partition(":")
    with warnings.catch_warnings():
        category = getattr(import_module(module), name)
        warnings.filterwarnings("ignore", remark.message, category, remark.module)
        yield


def drop_remarks_of_imports() -> None:
    """From now on, in this process, drop what libraries say when they are imported."""
    for logger, message in _AT_IMPORT.items():
        logging.getLogger(logger).addFilter(partial(_is_other, message))


def _is_other(message: str, record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(message)
