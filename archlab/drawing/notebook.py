"""An architecture as a notebook shows it."""

from archlab.architecture import UNetSpec
from archlab.drawing.compare import drawing_info
from archlab.drawing.info import Subject
from archlab.drawing.svg import inline_svg


def as_html(spec: UNetSpec) -> str:
    """The network drawn, as an SVG element."""
    return inline_svg(drawing_info(Subject(f"architecture {spec.id}", spec)), f"spec-{spec.id}")
