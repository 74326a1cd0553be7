"""The main job: accuracy, files, resume, folders of images, and errors in one line."""

import math

import numpy as np
import pytest
from PIL import Image

import facula
from facula.train import TrainError, checkpoint, run_job
from facula.train.job import cosine, settle


def saved_weights(folder):
    return {k: v.numpy() for k, v in facula.load(folder / "checkpoint.pt")["model"].items()}


@pytest.mark.slow
def test_defaults_reach_98_percent(tmp_path, capsys):
    history = run_job({}, out=tmp_path)
    assert len(history) == 20
    assert history[-1].test_accuracy >= 0.98
    for name in ("checkpoint.pt", "curve.png", "predictions.png"):
        assert (tmp_path / name).stat().st_size > 1000
    printed = capsys.readouterr().out
    assert "1,442 training and 355 test images" in printed
    assert "try next:" in printed


def test_resumed_run_ends_with_the_same_weights(tmp_path, monkeypatch):
    options = {"model": "mlp", "epochs": 3, "batch_size": 64}
    run_job(options, out=tmp_path / "whole")

    class Killed(Exception):
        pass

    save = checkpoint.save_checkpoint

    def save_then_die(path, trainer, saved):
        save(path, trainer, saved)
        raise Killed

    monkeypatch.setattr(checkpoint, "save_checkpoint", save_then_die)
    with pytest.raises(Killed):
        run_job(options, out=tmp_path / "parts")
    monkeypatch.undo()
    history = run_job({}, out=tmp_path / "parts", resume=True)
    assert len(history) == 3
    whole, parts = saved_weights(tmp_path / "whole"), saved_weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name in whole:
        assert np.array_equal(whole[name], parts[name]), name


def test_more_epochs_and_another_place(tmp_path):
    run_job({"model": "mlp", "epochs": 1}, out=tmp_path / "a")
    history = run_job({"epochs": 2}, out=tmp_path / "b", resume=tmp_path / "a" / "checkpoint.pt")
    assert len(history) == 2
    assert (tmp_path / "b" / "checkpoint.pt").is_file()


def test_failed_save_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    run_job({"model": "mlp", "epochs": 1}, out=tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def broken(state, file):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(checkpoint.serialization, "save", broken)
    with pytest.raises(OSError, match="no space"):
        run_job({"epochs": 2}, out=tmp_path, resume=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("keep", [0, 10, 1000, 0.5, 0.99])
def test_damaged_checkpoint_is_one_line(tmp_path, keep):
    run_job({"model": "mlp", "epochs": 1}, out=tmp_path)
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])
    with pytest.raises(TrainError, match=r"checkpoint.pt is not a readable checkpoint") as caught:
        run_job({}, out=tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_foreign_checkpoints(tmp_path):
    with pytest.raises(TrainError, match="no checkpoint at"):
        run_job({}, out=tmp_path, resume=True)
    facula.save({"epoch": 3}, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainError, match="was not written by facula train"):
        run_job({}, out=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "vgg"}, "unknown model 'vgg'"),
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"batch_size": -4}, "--batch-size must be at least 1"),
        ({"lr": 0.0}, "--lr must be a number above 0"),
        ({"lr": math.nan}, "--lr must be a number above 0"),
        ({"seed": -1}, "--seed must be a whole number"),
        ({"data": "no-such-folder"}, "no image set 'no-such-folder': choose digits, mnist"),
    ],
)
def test_bad_options(tmp_path, given, message):
    with pytest.raises(TrainError, match=message):
        run_job(given, out=tmp_path)


def test_resume_keeps_the_settings():
    saved = {
        "data": "digits",
        "model": "mlp",
        "epochs": 5,
        "batch_size": 8,
        "lr": 0.1,
        "seed": 3,
    }
    assert settle({"model": None, "epochs": 9, "lr": None}, saved).epochs == 9
    assert settle({"model": "mlp"}, saved).batch_size == 8
    with pytest.raises(TrainError, match="trained with --model mlp, not lenet"):
        settle({"model": "lenet"}, saved)
    with pytest.raises(TrainError, match="trained with --batch-size 8, not 9"):
        settle({"batch_size": 9}, saved)


def test_defaults_follow_the_data():
    assert (settle({}).data, settle({}).model, settle({}).epochs) == ("digits", "lenet", 20)
    assert settle({"data": "mnist"}).batch_size == 64
    assert settle({"data": "mnist", "lr": 0.5}).lr == 0.5


def test_cosine_falls_from_one():
    factor = cosine(4)
    assert [round(factor(i), 3) for i in range(5)] == [1.0, 0.854, 0.5, 0.146, 0.0]


def paint(folder, colour, count):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(count)
    for i in range(count):
        noise = rng.integers(0, 60, (20, 24, 3)) + np.array(colour)
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{i}.png")


def test_folder_of_images(tmp_path):
    for name, colour in (("red", (180, 0, 0)), ("blue", (0, 0, 180))):
        paint(tmp_path / "photos" / name, colour, 20)
    given = {"data": str(tmp_path / "photos"), "epochs": 3, "batch_size": 8}
    history = run_job(given, out=tmp_path / "out")
    assert history[-1].test_accuracy == 1.0


def test_folder_with_its_own_test_part(tmp_path):
    for part, count in (("train", 6), ("test", 3)):
        for name, colour in (("red", (180, 0, 0)), ("blue", (0, 0, 180))):
            paint(tmp_path / "photos" / part / name, colour, count)
    given = {"data": str(tmp_path / "photos"), "model": "mlp", "epochs": 1}
    assert len(run_job(given, out=tmp_path / "out")) == 1


def test_folder_without_classes(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainError, match="is not a folder of images by class"):
        run_job({"data": str(tmp_path / "empty")}, out=tmp_path / "out")


def test_out_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainError, match="cannot write to"):
        run_job({"epochs": 1}, out=tmp_path / "file" / "out")
