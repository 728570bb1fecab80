"""The musicnn wheel's four networks against the graphs in which their authors trained them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from embed.networks import musicnn, vgg
from embed.networks.log_mel import mel_filters
from embed.networks.musicnn_wheel import FRONT_END, MSD_TAGS, MTT_TAGS, Checkpoint, front_end
from tests.support.encoder_models import (
    as_published,
    compiled_root,
    full_windows,
    run_tensorflow,
    tone,
    white_noise,
)

CHECKPOINTS: dict[str, Checkpoint] = {
    "musicnn": musicnn.MSD,
    "mtt-musicnn": musicnn.MTT,
    "msd-vgg": vgg.MSD,
    "mtt-vgg": vgg.MTT,
}
# The `.meta` file beside a checkpoint is its authors' graph, with the operations that restore its
# weights. A modern TensorFlow refuses its gradients, which are not wanted here.
AUTHORS_GRAPH = """
import sys
import numpy as np
import tensorflow as tf
v1 = tf.compat.v1
def write_tags(folder, patches, tags):
    with open(f"{folder}/.meta", "rb") as stream:
        whole = v1.MetaGraphDef.FromString(stream.read()).graph_def
    graph = v1.graph_util.extract_sub_graph(whole, ["model/Sigmoid", "save/restore_all"])
    for node in graph.node:
        node.attr.pop("_output_shapes", None)
    spectrogram, is_training = (node.name for node in graph.node if node.op == "Placeholder")
    with v1.Session(graph=tf.Graph()) as session:
        v1.import_graph_def(graph, name="")
        session.run("save/restore_all", {"save/Const:0": f"{folder}/"})
        feed = {f"{spectrogram}:0": np.load(patches), f"{is_training}:0": False}
        np.save(tags, session.run("model/Sigmoid:0", feed))

patches, into, *folders = sys.argv[1:]
for i, folder in enumerate(folders):
    write_tags(folder, patches, f"{into}/{i}.npy")
print("null")
"""


@pytest.fixture(scope="module")
def windows(tracks: list[str]) -> NDArray[np.float32]:
    """Three windows each of some music, and one each of tones and noise."""
    grid = embed.encoder_spec("musicnn").grid
    music = [full_windows(track, grid)[0][2:5] for track in tracks[::7]]
    sounds = [grid.cut(sound)[:1] for sound in (tone(0, 3), tone(440, 3), white_noise(3))]
    return np.concatenate([*music, *sounds])


@pytest.fixture(scope="module")
def authors_tags(
    windows: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, NDArray[np.float32]]:
    """What the authors' graphs say of the windows, by encoder; TensorFlow starts once for all."""
    folder = tmp_path_factory.mktemp("authors")
    patches = front_end(windows, {"mel_filters": mel_filters(FRONT_END)})
    np.save(folder / "patches.npy", patches)
    weights = [str(checkpoint.locate().path) for checkpoint in CHECKPOINTS.values()]
    run_tensorflow(AUTHORS_GRAPH, str(folder / "patches.npy"), str(folder), *weights)
    return {name: np.load(folder / f"{i}.npy") for i, name in enumerate(CHECKPOINTS)}


@pytest.mark.long
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_tags_are_those_of_the_authors_graph(
    name: str,
    windows: NDArray[np.float32],
    authors_tags: dict[str, NDArray[np.float32]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # Not of the wheel's code: that pools MSD_vgg otherwise than the graph it was trained in.
    encoder = as_published(embed.load_encoder(name, root=compiled_root(name, tmp_path_factory)))
    assert encoder.spec.grid == embed.encoder_spec("musicnn").grid
    theirs = authors_tags[name]
    assert np.ptp(theirs, axis=0).max() > 0.2  # the sounds differ, so agreement says something
    np.testing.assert_allclose(
        encoder.tag_scores(encoder.embed_windows(windows)), theirs, atol=1e-5
    )


def test_each_encoder_has_the_tags_of_its_data_set() -> None:
    for checkpoint in CHECKPOINTS.values():
        assert checkpoint.tags == (MSD_TAGS if checkpoint.folder.startswith("MSD") else MTT_TAGS)
    assert len(set(MSD_TAGS)) == len(set(MTT_TAGS)) == 50
    assert len({checkpoint.sha256 for checkpoint in CHECKPOINTS.values()}) == len(CHECKPOINTS)


def test_musicnn_is_the_one_that_caches_were_made_with() -> None:
    spec = embed.encoder_spec("musicnn")
    assert spec.fingerprint(spec.locate()) == "5e962b97ff36002a"
