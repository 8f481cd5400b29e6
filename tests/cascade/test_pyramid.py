from face_cascade.tiles import Level, pyramid_levels


def test_levels_of_a_1080p_image():
    levels = pyramid_levels(1080, 1920, 20, 0.709)
    assert len(levels) == 12
    assert levels[0] == Level(0.6, 649, 1153)
    assert levels[-1].height >= 12


def test_an_image_smaller_than_a_face_has_none():
    assert pyramid_levels(11, 11, 20, 0.709) == pyramid_levels(1, 4000, 20, 0.709) == ()


def test_an_image_as_large_as_a_face_has_one():
    assert [(level.height, level.width) for level in pyramid_levels(20, 20, 20, 0.709)] == [(13, 13)]
