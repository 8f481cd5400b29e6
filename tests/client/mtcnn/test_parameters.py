"""The constructor, stages and their parameters."""

import pytest

from face_client import InvalidInput
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


@pytest.mark.parametrize("stages", ["faces", [], [StagePNet], [StageRNet, StagePNet], ["pnet"]])
def test_other_stages(stages):
    with pytest.raises(ValueError, match="stages"):
        MTCNN(stages)


def test_device_is_remembered():
    assert MTCNN(device="GPU:0").device == "GPU:0"
