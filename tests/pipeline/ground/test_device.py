import pytest

from pipeline.ground import device
from pipeline.ground.console import UsageError


@pytest.mark.parametrize(
    ("backend", "name", "extra"), [("tensorflow", "TensorFlow", "gpu"), ("jax", "JAX", "jax-gpu")]
)
def test_a_gpu_that_is_not_there_names_backend_and_extra(monkeypatch, backend, name, extra):
    monkeypatch.setattr("keras.config.backend", lambda: backend)
    monkeypatch.setattr(device, "tensorflow_gpus", list)
    monkeypatch.setattr(device, "jax_gpus", lambda wanted, count: [])
    with pytest.raises(UsageError) as caught:
        device.choose("gpu")
    assert f"train.device: gpu, and {name} sees none" in str(caught.value)
    assert f"'articulatory-inversion[{extra}]'" in str(caught.value)


def test_more_gpus_than_there_are_is_one_line(monkeypatch):
    monkeypatch.setattr("keras.config.backend", lambda: "tensorflow")
    monkeypatch.setattr(device, "tensorflow_gpus", lambda: ["first", "second"])
    with pytest.raises(UsageError, match=r"train\.devices: 3, and there are 2 GPUs"):
        device.choose("auto", 3)


def test_no_more_gpus_are_taken_than_asked_for(monkeypatch):
    taken = []
    monkeypatch.setattr("keras.config.backend", lambda: "tensorflow")
    monkeypatch.setattr(device, "tensorflow_gpus", lambda: ["first", "second", "third"])
    monkeypatch.setattr(
        device, "use_in_tensorflow", lambda gpus, count: taken.append((gpus, count)) or gpus
    )
    assert device.choose("auto", 2) == "first, second"
    assert device.choose("cpu", 2).startswith("CPU (")
    assert taken == [(["first", "second"], 2), ([], 2)]
