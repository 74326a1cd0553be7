"""`facula new`: a small project that trains, to start from."""

from pathlib import Path

import click

_TEMPLATE = Path(__file__).with_name("template")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name")
def command(name: str) -> None:
    """Make the folder NAME with a model, a training script and a README."""
    folder = Path(name)
    try:
        folder.mkdir(parents=True)
        for source in sorted(_TEMPLATE.iterdir()):
            text = source.read_text(encoding="utf-8").replace("NAME", folder.resolve().name)
            (folder / source.stem).write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise click.ClickException(f"{name} exists already") from error
    except OSError as error:
        raise click.ClickException(f"cannot make {name}: {error.strerror}") from error
    print(f"made {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    print(f"try: cd {folder} && python train.py")
