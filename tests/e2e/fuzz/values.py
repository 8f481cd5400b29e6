"""Single values for requests: types, sizes, numbers, texts, and names of parameters."""

from hypothesis import strategies as st

TYPES = (
    *("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "FP32", "FP64", "BYTES", "BF16", "", "uint8", "STRING", "JSON"),
)

PARAMETERS = (
    *("min_face_size", "threshold_pnet", "threshold_rnet", "threshold_onet", "factor"),
    *("max_faces", "selection", "image_size", "margin", "align"),
)
# Words of Triton's own, and some that are nobody's.
OTHER_PARAMETERS = ("timeout", "sequence_id", "sequence_start", "sequence_end", "headers", "binary_data_output", "")

SIZES = st.one_of(
    st.integers(1, 90), st.sampled_from((0, -1, 1, 2, 3, 11, 12, 2**31 - 1, 2**31, 2**32, 2**62, -(2**63)))
)

_NUMBERS = st.one_of(
    st.floats(),
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from((0.1, 0.5, 0.6, 0.709, 0.9, 1.0, 10, 20, 40, 160, 1024, 65535, 100_000, -0.0, 5e-324, 1e308)),
)
_STRINGS = st.one_of(
    st.text(max_size=12),
    _NUMBERS.map(str),
    st.sampled_from(
        (
            "all",
            "largest",
            "true",
            "False",
            "nan",
            "-inf",
            "1e999",
            "9" * 5000,
            "0x20",
            "1_0",
            "٣",
            '"',
            "\\",
            "\0",
            "\n",
            "{}",
        )
    ),
)
VALUES = st.one_of(_NUMBERS, _STRINGS, st.booleans())

NAMES = st.one_of(st.sampled_from(PARAMETERS * 5 + OTHER_PARAMETERS), st.text(max_size=8))

WRONG_PARAMETERS = (
    *(
        ("min_face_size", value)
        for value in (float("nan"), float("inf"), -float("inf"), 1e308, -1, 0, 2**63, "", "NaN", "1e999")
    ),
    *(("threshold_pnet", value) for value in (float("nan"), -0.1, 1.5, 0, "\x00", "½", '"0.5"')),
    *(("factor", value) for value in (float("nan"), 0, 1, 1.0000001, 5e-324)),
    *(("max_faces", value) for value in (-1, 2**63 - 1, 2**64 - 1, 1.5, "9" * 100_000, True)),
    *(("image_size", value) for value in (0, 15, 1025, 2**31, "160px", False)),
    *(("margin", value) for value in (-1, 160, float("nan"))),
    *(("selection", value) for value in ("", "ALL", "\n", '"', "\\", "x" * 10**6, 1)),
    *(("align", value) for value in ("yes", 1, 0.0, "")),
    *((name, 1) for name in ("min_size", "", "é", "a\nb", '"', "\\", "\x7f")),
)
"""Name and value of parameters that must be refused, each alone."""
