"""Reading what others have annotated: WIDER FACE, the CNN-facial-point lists, CelebA."""
