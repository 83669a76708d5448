import shutil

import numpy as np
import pytest

from pipeline.ground import artifacts
from pipeline.ground.storage import Store, StoreWriter
from tests.pipeline.conftest import change


@pytest.fixture
def extracted(standardized):
    shutil.rmtree(artifacts.STANDARDIZED)
    return standardized


def z_and_mm(column="targets"):
    z = Store(artifacts.STANDARDIZED, "standardize")
    mm = Store(artifacts.FRAMES, "extract")
    for k, (a, b) in enumerate(zip(z.entries, mm.entries, strict=True)):
        assert a.id == b.id
        yield k, a, z.frames(a, column), mm.frames(b, column)


@pytest.mark.parametrize("column", ["inputs", "targets"])
def test_per_utterance_every_channel_has_mean_zero_and_deviation_one(extracted, stage, column):
    change(extracted / "params.yaml", **{f"standardize__{column}": "utterance"})
    assert stage("standardize").status == 0
    for _, _, z, _ in z_and_mm(column):
        np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-4)


@pytest.mark.parametrize("over", ["utterance", "speaker", "corpus"])
def test_the_kept_statistics_give_the_millimetres_back(extracted, stage, over):
    change(extracted / "params.yaml", standardize__targets=over)
    assert stage("standardize").status == 0
    kept = artifacts.statistics()
    for k, _, z, mm in z_and_mm():
        np.testing.assert_allclose(
            z * kept["target_scale"][k] + kept["target_mean"][k], mm, atol=1e-4
        )


def name_speakers(project, stage, *names):
    """Give every utterance a speaker, in turn, and read the corpus anew."""
    rows = [f"u{k:02d},{names[k % len(names)]}" for k in range(24)]
    (project / "recordings" / "metadata.csv").write_text("\n".join(["id,speaker", *rows, ""]))
    assert [stage(name).status for name in ("corpus", "extract")] == [0, 0]


def test_features_go_by_speaker_where_all_who_are_tested_are_trained_on(extracted, stage):
    name_speakers(extracted, stage, "a", "b")
    change(extracted / "params.yaml", standardize__protocol="random")
    outcome = stage("standardize")
    assert "inputs per speaker, targets per speaker" in outcome.out
    for name in ("a", "b"):
        own = [
            z
            for _, entry, z, _ in z_and_mm("inputs")
            if (entry.about["speaker"], entry.about["split"]) == (name, "train")
        ]
        np.testing.assert_allclose(np.concatenate(own).mean(axis=0), 0, atol=1e-5)
    one = next(z for _, _, z, _ in z_and_mm("inputs"))
    assert np.abs(one.mean(axis=0)).max() > 0.1


@pytest.mark.parametrize("over", ["auto", "speaker"])
def test_features_of_somebody_new_go_by_utterance(extracted, stage, over):
    name_speakers(extracted, stage, "a", "b", "c")
    split = {"standardize__protocol": "leave-one-speaker-out", "standardize__speaker": "c"}
    change(extracted / "params.yaml", standardize__inputs=over, **split)
    assert ("inputs per utterance" in stage("standardize").out) == (over == "auto")
    for _, entry, z, _ in z_and_mm("inputs"):
        if entry.about["speaker"] == "c":
            np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    new = [k for k, entry, _, _ in z_and_mm() if entry.about["speaker"] == "c"]
    assert np.ptp(artifacts.statistics()["target_mean"][new], axis=0).max() == 0


def test_statistics_of_the_corpus_never_see_validation_or_test(extracted, stage):
    change(extracted / "params.yaml", standardize__targets="corpus")
    assert stage("standardize").status == 0
    train = np.concatenate([mm for _, e, _, mm in z_and_mm() if e.about["split"] == "train"])
    kept = artifacts.statistics()
    np.testing.assert_allclose(kept["target_mean"], np.tile(train.mean(axis=0), (24, 1)), rtol=1e-5)
    np.testing.assert_allclose(kept["target_scale"], np.tile(train.std(axis=0), (24, 1)), rtol=1e-5)


@pytest.mark.parametrize("frames", ["speech", "all"])
def test_silence_counts_only_where_all_frames_do(extracted, stage, frames):
    change(extracted / "params.yaml", standardize__targets="utterance", standardize__frames=frames)
    store = Store(artifacts.FRAMES, "extract")
    with StoreWriter(artifacts.FRAMES, store.columns, store.about) as writer:
        for entry in store.entries:
            arrays = {name: np.array(store.frames(entry, name)) for name in store.columns}
            arrays["speech"][:30] = 0
            writer.add(entry.id, arrays, **entry.about)
    assert stage("standardize").status == 0
    for _, _, z, _ in z_and_mm():
        counted = z[30:] if frames == "speech" else z
        np.testing.assert_allclose(counted.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(counted.std(axis=0), 1, atol=1e-4)


def test_a_constant_channel_becomes_zeros(extracted, stage):
    for path in sorted((extracted / "recordings").glob("*.csv")):
        lines = path.read_text().splitlines()
        still = [line.rsplit(",", 1)[0] + ",7.5" for line in lines[1:]]
        path.write_text("\n".join([lines[0], *still]) + "\n")
    for name in ("corpus", "extract", "standardize"):
        assert stage(name).status == 0
    for _, _, z, _ in z_and_mm():
        assert not z[:, 3].any()
        assert np.isfinite(z).all()


def test_too_few_utterances_are_one_line(project, stage):
    for path in sorted((project / "recordings").iterdir())[4:]:
        path.unlink()
    stage("corpus")
    stage("extract")
    outcome = stage("standardize")
    assert outcome.status == 1
    assert outcome.err == "error: 2 utterances leave none for the train set\n"


def test_damaged_frames_are_one_line(extracted, stage):
    shard = artifacts.FRAMES / "inputs-00000.npy"
    shard.write_bytes(shard.read_bytes()[:-4])
    outcome = stage("standardize")
    assert outcome.status == 1
    assert outcome.err.startswith("error: data/frames/inputs-00000.npy: damaged")
    assert not artifacts.STANDARDIZED.exists()
