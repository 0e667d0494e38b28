"""Master data of service points, and every version of a reading: which came, which counts, which is held."""
