"""The command line around the commands: usage errors in one line, info, a short training."""

import pytest

# Nothing the commands need may slow down `import facula`.
LIGHT = """
import sys
import facula
heavy = {"click", "tqdm", "facula.cli", "facula.train", "torch"}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["run"], "Missing argument 'TARGET'"),
        (["run", "missing.py"], "cannot find the script 'missing.py'"),
        (["run", "-m", "-c", "x"], "-m and -c exclude each other"),
        (["run", "--bogus", "script.py"], "No such option"),
        (["train", "--model", "vgg"], "unknown model 'vgg': choose one of lenet"),
        (["train", "--epochs", "many"], "'many' is not a valid integer"),
        (["train", "--epochs", "0"], "--epochs must be at least 1"),
        (["train", "--data", "nowhere"], "no image set 'nowhere'"),
        (["train", "--lr", "-1"], "--lr must be a number above 0"),
        (["train", "--resume"], "no checkpoint at runs/digits-lenet/checkpoint.pt"),
        (["train", "--resume", "no.pt"], "no checkpoint at no.pt"),
        (["train", "--bogus"], "No such option"),
    ],
)
def test_usage_errors_are_one_line(facula_command, arguments, message):
    done = facula_command(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("facula: ") and done.stderr.count("\n") == 1
    assert message in done.stderr


def test_help(facula_command):
    done = facula_command("--help")
    assert done.returncode == 0
    for command in ("run", "train", "new", "info"):
        assert f"\n  {command} " in done.stdout
    assert "--batch-size" in facula_command("train", "-h").stdout


def test_info(facula_command):
    done = facula_command("info")
    assert done.returncode == 0
    for word in ("python", "numpy", "pillow", "engines", "native", "cache", "processor"):
        assert f"\n{word}" in "\n" + done.stdout
    assert facula_command("--version").stdout.startswith("facula ")


def test_info_clears_the_cache(facula_command, tmp_path, monkeypatch):
    monkeypatch.setenv("FACULA_CACHE", str(tmp_path / "kept"))
    folder = tmp_path / "kept" / "code"
    folder.mkdir(parents=True)
    (folder / "a.code").write_bytes(bytes(1_500_000))
    (folder / "mine.txt").write_text("not compiled code")
    assert f"{folder}: " in facula_command("info").stdout
    done = facula_command("info", "--clear-cache")
    assert done.returncode == 0
    assert done.stdout.startswith("removed ") and "1.5 MB" in done.stdout
    assert not (folder / "a.code").exists() and (folder / "mine.txt").exists()


def test_train_writes_its_files_and_resumes(facula_command, tmp_path):
    done = facula_command("train", "--model", "mlp", "--epochs", "2")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "runs" / "digits-mlp"
    assert sorted(file.name for file in out.iterdir()) == [
        "checkpoint.pt",
        "curve.png",
        "predictions.png",
    ]
    assert "epoch 2/2" in done.stdout and "try next:" in done.stdout
    assert "batch" in done.stderr  # the progress bar
    done = facula_command("train", "--model", "mlp", "--resume", "--epochs", "3")
    assert "resumed after epoch 2 of 3" in done.stdout


def test_new_project_trains(facula_command, python, tmp_path):
    done = facula_command("new", "mine")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine" / "README.md").read_text().startswith("# mine\n")
    done = python("mine/train.py", "--epochs", "2")
    assert "epoch 2/2" in done.stdout, done.stderr
    assert (tmp_path / "model.pt").is_file()
    done = facula_command("new", "mine")
    assert (done.returncode, done.stderr) == (2, "facula: mine exists already\n")


def test_import_stays_light(python):
    done = python("-c", LIGHT)
    assert done.stdout == "[]\n", done.stderr
