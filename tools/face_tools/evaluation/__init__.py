"""Accuracy on standard sets: WIDER FACE for detection, Labeled Faces in the Wild for recognition.

`wider` and `lfw` ask a server about the pictures of a set and measure what it answers; `average_precision` and
`verification` are the metrics, functions of arrays. Needs the extra `evaluate`.
"""
