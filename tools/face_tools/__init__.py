"""What people do with faces at a terminal: find, crop, compare, cluster, follow through videos, measure."""
