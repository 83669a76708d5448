"""A plain network in another library, for `studies.real_corpora`: what a page of torch reaches.

Two bidirectional LSTM layers and a linear one, squared error, Adam, batches of like length, nothing
else but varied tract length: in every epoch each utterance is seen through mel filters that are
warped by a factor out of a few. The epoch that is best on the validation set counts.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from features.frames import FRAME_RATE
from features.mfcc import mfcc
from features.standardization import Standardizer
from pipeline import corpora
from pipeline.corpora import manifest
from pipeline.ground.params import Corpus
from pipeline.ground.storage import Entry, Store

UNITS = 128
EPOCHS = 20
BATCH = 8
RATE = 2e-3
WARPS = (0.9, 0.95, 1.0, 1.05, 1.1)
STEP = 16  # frames; utterances are padded to multiples of it, so that there are few shapes

Array = NDArray[np.float32]
Pair = tuple[Array, Array]


class Twin(nn.Module):
    """The network."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        widths = (inputs, 2 * UNITS)
        self.forward_layers = nn.ModuleList(nn.LSTM(w, UNITS, batch_first=True) for w in widths)
        self.backward_layers = nn.ModuleList(nn.LSTM(w, UNITS, batch_first=True) for w in widths)
        self.linear = nn.Linear(2 * UNITS, outputs)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return tracks [B, T, D] of features [B, T, W]; padding is not seen."""
        at = torch.arange(x.shape[1])[None]
        turned = torch.where(at < lengths[:, None], lengths[:, None] - 1 - at, at)[..., None]

        def turn(values: torch.Tensor) -> torch.Tensor:
            return values.gather(1, turned.expand(-1, -1, values.shape[2]))

        for ahead, back in zip(self.forward_layers, self.backward_layers, strict=True):
            x = torch.cat([ahead(x)[0], turn(back(turn(x))[0])], dim=2)
        tracks: torch.Tensor = self.linear(x)
        return tracks


def warped(store: Store, entries: Sequence[Entry], corpus: Corpus) -> list[list[Array]]:
    """Return the features of every utterance through each of the filters, in z.

    Standardised over what those of the corpus are, the utterance or its speaker.
    """
    over = "speaker" if store.about["standardize"]["inputs"] == "speaker" else "id"
    items = {item.id: item for item, _ in manifest.read()}
    found: list[list[Array]] = []
    fitted: dict[tuple[str, int], Standardizer] = defaultdict(Standardizer)
    names = [{"id": entry.id, **entry.about}[over] for entry in entries]
    for entry, name in zip(entries, names, strict=True):
        utterance = corpora.reader(corpus.reader).read(manifest.located(items[entry.id]), corpus)
        assert utterance.audio is not None
        first = round(entry.about["start_s"] * FRAME_RATE)
        part = slice(first, first + entry.frames)
        counted = store.frames(entry, "speech")[:, 0] > 0
        found.append([mfcc(utterance.audio, utterance.sample_rate, warp=w)[part] for w in WARPS])
        for k, x in enumerate(found[-1]):
            fitted[name, k].partial_fit(x[counted])
    return [
        [fitted[name, k].transform(x) for k, x in enumerate(views)]
        for name, views in zip(names, found, strict=True)
    ]


def batch(pairs: Sequence[Pair]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return features, tracks and lengths of utterances, padded with zeros."""
    lengths = [len(x) for x, _ in pairs]
    longest = -(-max(lengths) // STEP) * STEP
    x, y = (
        torch.from_numpy(
            np.stack([np.pad(z[k], ((0, longest - len(z[k])), (0, 0))) for z in pairs])
        )
        for k in (0, 1)
    )
    return x, y, torch.tensor(lengths)


def error(model: Twin, pairs: Sequence[Pair]) -> torch.Tensor:
    """Return the mean squared error over the frames of some utterances."""
    x, y, lengths = batch(pairs)
    known = (torch.arange(x.shape[1])[None] < lengths[:, None]).float()
    squares = ((model(x, lengths) - y) ** 2).mean(dim=2)
    return (squares * known).sum() / known.sum()


def train(
    views: Sequence[Sequence[Array]],
    targets: Sequence[Array],
    validation: Sequence[Pair],
    seed: int,
) -> tuple[Twin, dict[str, Any]]:
    """Train, and return the network of the best epoch and what it took.

    Parameters
    ----------
    views : sequence of sequence of float32 [T, 39]
        See `warped`.
    targets : sequence of float32 [T, D]
        In z.
    validation : sequence of (inputs, targets)
    seed : int
    """
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    rng = np.random.default_rng(seed)
    model = Twin(views[0][0].shape[1], targets[0].shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    lengths = np.array([len(y) for y in targets])
    best, least, at = model.state_dict(), np.inf, 0
    seconds = 0.0
    for epoch in range(1, EPOCHS + 1):
        started = time.perf_counter()
        order = np.argsort(lengths * rng.uniform(0.9, 1.1, len(lengths)))
        batches = [order[k : k + BATCH] for k in range(0, len(order), BATCH)]
        for k in rng.permutation(len(batches)).tolist():
            pairs = [
                (views[u][int(rng.integers(len(WARPS)))], targets[u]) for u in batches[k].tolist()
            ]
            loss = error(model, pairs)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        seconds += time.perf_counter() - started
        with torch.no_grad():
            held_out = float(error(model, validation))
        if held_out < least:
            best = {name: value.clone() for name, value in model.state_dict().items()}
            least, at = held_out, epoch
    model.load_state_dict(best)
    weights = sum(parameter.numel() for parameter in model.parameters())
    about = {"seconds": round(seconds, 1), "epochs": EPOCHS, "best_epoch": at, "weights": weights}
    return model, about


def predict(model: Twin, x: Array) -> Array:
    """Return the tracks [T, D] of an utterance, in z."""
    with torch.no_grad():
        tracks = model(torch.from_numpy(np.array(x))[None], torch.tensor([len(x)]))[0]
    return tracks.numpy()
