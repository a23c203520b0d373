"""The search strategy ``surrogate``: a model of quality over architectures and rungs says what is trained how far."""

from archlab.study.surrogate.history import Begun, Choice, Gain, Pace
from archlab.study.surrogate.search import SurrogateSearch

__all__ = ["Begun", "Choice", "Gain", "Pace", "SurrogateSearch"]
