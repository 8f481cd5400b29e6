"""The cascade's second engine: images, tiles, maps and crops stay on a GPU. Needs torch; on a GPU also `triton`."""
