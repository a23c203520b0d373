"""The audit: a study of its own, whose table says whether a short training orders architectures as a long one does."""

from archlab.study.audit.run import run_audit

__all__ = ["run_audit"]
