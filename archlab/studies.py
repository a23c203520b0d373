"""Which studies there are, by name: told before anything heavy is imported."""

from pathlib import Path

from archlab.errors import BadInput, nearest, shown

ROOT = Path("studies")


def study_names(root: Path) -> list[str]:
    """The folders that hold a study, by name."""
    return sorted(path.parent.name for path in root.glob("*/study.yaml"))


def is_study(name: str, root: Path) -> bool:
    """Whether a study of that name is there."""
    return bool(name) and (root / name / "study.yaml").is_file()


def check_study(name: str, root: Path) -> None:
    """Refuse a study that is not there.

    Raises:
        BadInput: no study has that name; the message has the nearest one.
    """
    if not is_study(name, root):
        names = study_names(root)
        raise BadInput(f"no study {shown(name)} in {root}{nearest(name, names) if names else ', which has none'}")
