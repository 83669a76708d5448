"""Sounds that hold no speech, whatever their samples are, and one that does."""

import numpy as np

RATE = 16_000


def silences(seconds: float = 2.0, rate: int = RATE) -> dict[str, np.ndarray]:
    n = round(seconds * rate)
    rng = np.random.default_rng(0)
    click, bit = np.zeros(n), np.zeros(n)
    click[n // 3], bit[n // 3] = 0.9, 1 / 32768
    dither = rng.uniform(-0.5, 0.5, (2, n)).sum(axis=0)
    sounds = {
        "digital silence": np.zeros(n),
        "noise at 1e-6": 1e-6 * rng.standard_normal(n),
        "a constant offset": np.full(n, 0.3),
        "an offset that comes late": np.where(np.arange(n) < n // 2, 0, -0.2),
        "one click": click,
        "one lowest bit": bit,
        "dither": np.round(dither) / 32768,
    }
    return {name: sound.astype(np.float32) for name, sound in sounds.items()}


SILENCES = silences()


def voice(seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """A buzz of 110 Hz that comes and goes four times a second, up to full scale."""
    t = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.cos(2 * np.pi * f * t + f**2) / f for f in range(110, 4000, 110))
    sound = buzz * np.sin(2 * np.pi * 2 * t) ** 2
    return (sound / np.abs(sound).max()).astype(np.float32)
