"""HTML pages that need nothing but themselves."""

import json
import math
import re
from functools import cache
from html import escape
from typing import Any

import jinja2
import pandas as pd
from pandas.api.types import is_numeric_dtype
from plotly.offline import get_plotlyjs

from archlab import __version__
from archlab.evaluation.measures import MEASURES
from archlab.report.table import is_known, text

_UNITS = sorted({"%", "s", "min", "h", *(measure.unit for measure in MEASURES.values() if measure.unit)})
_JOINTS = re.compile(rf"(?<=[\d.]) (?=(?:{'|'.join(map(re.escape, _UNITS))})(?!\w))|(?<=\d) (?=± )|(?<=±) ")

_CODE = re.compile("`([^`]+)`")


def render_page(template: str, data: Any, **values: Any) -> str:
    """A page's HTML. It loads nothing: its own Content-Security-Policy forbids every address.

    Args:
        data: what the page's script reads, as JSON.
        values: what the template names.
    """
    page = _environment().get_template(template)
    return page.render(data=_json(data), plotly_js=get_plotlyjs(), version=__version__, **values)


def signed(value: Any) -> str:
    """A difference as a person reads it, empty where there is none."""
    return f"{value:+.3g}".replace("-", "−") if is_known(value) else ""


def unbroken(sentence: str) -> str:
    """The sentence, whose lines never end between a number and its unit, nor beside ±."""
    return _JOINTS.sub("\N{NO-BREAK SPACE}", sentence)


def prose(sentence: str) -> str:
    """The sentence as safe HTML, `unbroken`, with what is between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(unbroken(sentence)))


def cell(value: Any) -> str:
    """A table's cell as a person reads it, with a true minus."""
    shown = text(value)
    return shown if isinstance(value, str) else shown.replace("-", "−")


def _json(value: Any) -> str:
    """JSON that is safe inside a ``<script>`` element: no tag can begin or end in it, and NaN is null."""
    encoded = json.dumps(_plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value) if is_known(value) else None


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("archlab.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = cell
    environment.filters["prose"] = prose
    environment.filters["signed"] = signed
    environment.filters["signed_columns"] = lambda frame: [name.startswith(("Δ", "vs ")) for name in frame]
    environment.filters["numeric_columns"] = lambda frame: [is_numeric_dtype(frame[name]) for name in frame]
    environment.filters["rows"] = lambda frame: frame.astype(object).to_numpy().tolist()
    environment.tests["is_number"] = lambda value: pd.api.types.is_number(value) and not isinstance(value, bool)
    return environment
