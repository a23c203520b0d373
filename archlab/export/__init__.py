"""The winner as one folder: architecture, trained proxy, converted target, card."""

from archlab.export.folder import export_architecture
from archlab.export.winner import Winner

__all__ = ["Winner", "export_architecture"]
