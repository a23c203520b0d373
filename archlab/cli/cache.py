"""``archlab cache``"""

from datetime import datetime

import click

from archlab.cli.options import format_option
from archlab.terminal.listing import print_listing


@click.group(invoke_without_command=True)
@format_option
@click.pass_context
def cache(context: click.Context, form: str) -> None:
    """Show what is cached on this computer, by kind, and what it takes.

    $ARCHLAB_CACHE says where it is, $ARCHLAB_CACHE_GB how much it may take: 20 GB, inf for no limit.
    """
    if context.invoked_subcommand:
        return
    from archlab.cache import limit_gb, root, usage

    limit, kinds = limit_gb(), usage()
    rows = [
        {
            "kind": used.kind.name,
            "about": used.kind.about,
            "entries": used.entries,
            "mb": round(used.size / 1e6, 3),
            "last_used": used.used_at and datetime.fromtimestamp(used.used_at).isoformat(" ", "seconds"),
            "evictable": used.kind.evictable,
        }
        for used in kinds
    ]
    print_listing(rows, form)
    if kinds and form == "table":
        click.echo(f"{root()}: {sum(used.size for used in kinds) / 1e6:,.1f} MB of {limit:g} GB")


@cache.command()
@click.argument("kinds", metavar="[KIND]...", nargs=-1)
@click.option("--in-use", is_flag=True, help="Also what was used within the hour. Nothing else may be running.")
def clear(kinds: tuple[str, ...], in_use: bool) -> None:
    """Delete what is cached of the KINDs, or whatever is made again without you.

    What is locked, or was used within the hour, stays: it may be in use.
    """
    from archlab.cache import clear

    done = clear(kinds, in_use=in_use)
    click.echo(f"freed {done.size / 1e6:,.1f} MB: {_counted(done.entries)}")
    if done.left:
        hint = "" if in_use else "; archlab cache clear --in-use deletes those, too, when nothing else is running"
        click.echo(f"left {_counted(done.left)} that may be in use{hint}")


def _counted(entries: int) -> str:
    return f"{entries:,} {'entry' if entries == 1 else 'entries'}"
