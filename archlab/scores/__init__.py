"""How good a trained proxy is: its loss on images it has not seen, and what it draws beside what is real."""

from archlab.scores.attribute_classifier import Reader, reader
from archlab.scores.score import Score, Scores
from archlab.scores.scorer import Draw, Scorer
from archlab.scores.validation import ValidationLoss

__all__ = ["Draw", "Reader", "Score", "Scorer", "Scores", "ValidationLoss", "reader"]
