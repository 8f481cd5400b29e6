"""The constructor, stages and their parameters."""

import numpy as np
import pytest
import torch

from face_client import InvalidInput
from face_client.drop_in import NotHere
from face_client.mtcnn import MTCNN
from face_client.mtcnn.finding import detect_options
from face_client.mtcnn.stages import StageONet, StagePNet, StageRNet


def sent(transport):
    return transport.requests[-1].parameters


def test_the_last_threshold_is_higher_than_the_servers(detector_of, scene, transport):
    detector_of().detect_faces(scene(1))
    assert sent(transport) == {"threshold_onet": 0.8}


def test_stage_parameters_by_name(detector_of, scene, transport):
    detector_of().detect_faces(
        scene(1),
        min_face_size=40,
        scale_factor=0.8,
        threshold_pnet=0.5,
        threshold_rnet=0.6,
        threshold_onet=0.9,
        min_size=12,
        nms_pnet1=0.5,
        nms_onet=0.7,
    )
    assert sent(transport) == {
        "min_face_size": 40.0,
        "factor": 0.8,
        "threshold_pnet": 0.5,
        "threshold_rnet": 0.6,
        "threshold_onet": 0.9,
    }


def test_constructor_of_the_old_release(detector_of, scene, transport):
    detector = detector_of(min_face_size=30, steps_threshold=[0.5, 0.6, 0.7], scale_factor=0.6)
    detector.detect_faces(scene(1))
    assert sent(transport) == {
        "min_face_size": 30.0,
        "factor": 0.6,
        "threshold_pnet": 0.5,
        "threshold_rnet": 0.6,
        "threshold_onet": 0.7,
    }
    detector.detect_faces(scene(1), min_face_size=50, threshold_onet=0.9)
    assert (sent(transport)["min_face_size"], sent(transport)["threshold_onet"]) == (50.0, 0.9)
    detector.min_face_size = 35
    detector.detect_faces(scene(1))
    assert sent(transport)["min_face_size"] == 35.0


def test_what_the_server_cannot_do():
    with pytest.raises(InvalidInput, match=r"nms_rnet is 0.5; the server's cascade has 0.7"):
        detect_options({"nms_rnet": 0.5})
    with pytest.raises(TypeError, match="unexpected keyword argument 'min_face'; the stages' parameters are min_face_"):
        detect_options({"min_face": 20})


@pytest.mark.parametrize(
    "stages",
    [
        "face_and_landmarks_detection",
        [StagePNet, StageRNet, StageONet],
        [StagePNet(), StageRNet, StageONet()],
    ],
)
def test_whole_cascade(stages, detector_of, scene):
    detector = detector_of(stages)
    assert [stage.name for stage in detector.stages] == ["Stage PNET", "Stage RNET", "Stage ONET"]
    assert detector.get_stage(stage_id=2) is detector.get_stage(stage_name="Stage RNET") is detector.stages[1]
    assert detector.get_stage(stage_id=4) is None
    assert "keypoints" in detector.detect_faces(scene(1))[0]


def test_without_the_last_stage(detector_of, scene):
    for stages in ("face_detection_only", [StagePNet, StageRNet]):
        assert "keypoints" not in detector_of(stages).detect_faces(scene(1))[0]


@pytest.mark.parametrize("stages", ["faces", [], [StagePNet], [StageRNet, StagePNet], ["pnet"], None, 3])
def test_other_stages(stages):
    with pytest.raises(ValueError, match=r"^stages is "):
        MTCNN(stages)


def test_stages_of_other_names_and_kinds(detector_of, scene):
    class Mine(StageONet):
        pass

    detector = detector_of([StagePNet(stage_name="first", stage_id=7), StageRNet(weights="rnet.lz4"), Mine])
    assert detector.get_stage(7) is detector.get_stage(stage_name="first") is detector.stages[0]
    assert "keypoints" in detector.detect_faces(scene(1))[0]


def test_stages_neither_run_nor_load_weights_here():
    with pytest.raises(NotHere, match=r"weights is 'mine.lz4'"):
        StagePNet(weights="mine.lz4")
    with pytest.raises(NotHere, match="Stage RNET runs in the server"):
        StageRNet()(np.zeros((1, 24, 24, 3)))


def test_numbers_may_be_tensors(detector_of, scene, transport):
    detector_of().detect_faces(scene(1), min_face_size=torch.tensor(30), threshold_onet=np.array(0.75))
    assert dict(transport.requests[0].parameters) == {"min_face_size": 30, "threshold_onet": 0.75}


@pytest.mark.parametrize("thresholds", [[0.6, 0.7], []])
def test_thresholds_of_the_old_release_that_cannot_be(thresholds, detector_of, scene):
    with pytest.raises(ValueError, match=r"^steps_threshold is "):
        detector_of(steps_threshold=thresholds).detect_faces(scene(1))


def test_device_is_remembered():
    assert MTCNN(device="GPU:0").device == "GPU:0"
