"""Training of PNet, RNet, ONet and FaceNet: from annotated pictures to weights that `faces export` takes.

Networks come from `face_export`, the cascade's algorithm from `face_cascade`: what is here is annotation, samples,
losses and the training itself.
"""
