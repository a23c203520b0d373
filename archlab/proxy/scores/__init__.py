"""How good a trained proxy is: its loss on images it has not seen, and what it draws beside what is real."""

from archlab.proxy.scores.reading import Reader, reader
from archlab.proxy.scores.score import Score, Scores
from archlab.proxy.scores.scorer import Draw, Scorer
from archlab.proxy.scores.validation import ValidationLoss

__all__ = ["Draw", "Reader", "Score", "Scorer", "Scores", "ValidationLoss", "reader"]
