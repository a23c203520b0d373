"""Whether a short training orders architectures as a long one does."""

from archlab.analysis.audit.agreement import LEAST, LEVEL, Agreement
from archlab.analysis.audit.audit import BAR, TOP, Audit, Predictor, audit, scores_table

__all__ = ["BAR", "LEAST", "LEVEL", "TOP", "Agreement", "Audit", "Predictor", "audit", "scores_table"]
