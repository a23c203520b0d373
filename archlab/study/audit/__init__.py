"""The audit: a study of its own, whose table says whether a short training orders architectures as a long one does."""

from archlab.study.audit.agreement import LEVEL, Agreement
from archlab.study.audit.audit import BAR, TOP, Audit, Verdict, audit, scores_table
from archlab.study.audit.run import run_audit
from archlab.study.audit.sample import LEAST

__all__ = [
    "BAR",
    "LEAST",
    "LEVEL",
    "TOP",
    "Agreement",
    "Audit",
    "Verdict",
    "audit",
    "run_audit",
    "scores_table",
]
