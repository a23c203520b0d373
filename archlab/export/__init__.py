"""The winner as one folder: architecture, trained proxy, converted target, card."""

from archlab.export.folder import export_architecture
from archlab.export.plan import Plan
from archlab.export.winner import Winner

__all__ = ["Plan", "Winner", "export_architecture"]
