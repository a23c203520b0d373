"""Which forms are written, in which precisions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from archlab.errors import BadInput, MissingExtra, nearest, shown
from archlab.export.forms import FORMS
from archlab.export.forms.form import ExportedFile, Form, Say, not_written
from archlab.export.networks import Networks


class Written(NamedTuple):
    """What one form has written in one precision."""

    form: Form
    precision: str
    files: list[ExportedFile]


@dataclass(frozen=True)
class Plan:
    """What is to be written.

    Attributes:
        forms: those that were asked for; none: all, and one whose package is not installed is said to be not written.
        precisions: those that were asked for; none: every form's own.
        configured: forms with other settings than their own, by name.
    """

    forms: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    configured: Mapping[str, Form] = field(default_factory=dict)

    def check(self) -> None:
        """Before anything slow.

        Raises:
            BadInput: no form has that name, or no chosen form has that precision.
            MissingExtra: a form that was asked for needs a package that is not installed.
        """
        for name in self.forms:
            if name not in FORMS.names:
                raise BadInput(f"--forms: there is no {shown(name)}{nearest(name, FORMS.names)}")
            FORMS[name].check()
        known = {precision for form in self._forms() for precision in form.precisions}
        for precision in self.precisions:
            if precision not in known:
                raise BadInput(f"--precision: no form has {shown(precision)}{nearest(precision, known)}")

    def write(self, networks: Networks, folder: Path, say: Say) -> Iterator[Written]:
        """Every form in its precisions, into ``folder``, one after the other.

        Args:
            say: hears one line before each slow step.
        """
        for form in self._forms():
            for precision in self._precisions(form, trained=networks.model is not None):
                yield Written(form, precision, self._files(form, networks, folder, precision, say))

    def _forms(self) -> list[Form]:
        return [self.configured.get(name) or FORMS[name] for name in self.forms or FORMS.names]

    def _precisions(self, form: Form, trained: bool) -> Sequence[str]:
        if not trained and form.trained_only and not self.forms:
            return ()
        if not self.precisions:
            return form.default_precisions if trained else form.precisions[:1]
        return [precision for precision in self.precisions if precision in form.precisions]

    def _files(self, form: Form, networks: Networks, folder: Path, precision: str, say: Say) -> list[ExportedFile]:
        try:
            form.check()
        except MissingExtra as error:
            return [not_written(form, networks.unet, precision, error)]
        return form.write(networks, folder, precision, say)


EVERYTHING = Plan()
