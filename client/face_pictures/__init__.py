"""Files and objects that are pictures, as RGB pixels: the ground that client, server and training stand on."""
