"""An architecture or a model as a folder for devices: networks in every form, a card, and a program that draws."""

from archlab.export.architecture import export_architecture
from archlab.export.model import export_model
from archlab.export.pictures import Judging
from archlab.export.plan import Plan
from archlab.export.winner import Winner

__all__ = ["Judging", "Plan", "Winner", "export_architecture", "export_model"]
