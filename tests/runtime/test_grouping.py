from face_runtime.requests import pixel_groups


def groups(pixels, most):
    return [pixels[group] for group in pixel_groups(pixels, most)]


def test_groups_hold_at_most_so_many_pixels():
    assert groups([3, 3, 3, 5, 1], 6) == [[3, 3], [3], [5, 1]]


def test_one_larger_request_goes_alone():
    assert groups([1, 9, 1], 5) == [[1], [9], [1]]


def test_no_requests():
    assert groups([], 5) == []
