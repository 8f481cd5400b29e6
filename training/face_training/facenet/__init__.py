"""FaceNet trained on as a classifier of the people in a folder, as facenet-pytorch's example does."""
