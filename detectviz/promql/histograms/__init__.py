"""Arithmetic of native histograms: pure functions over ``detectviz.tsdb.histograms.Histogram``."""
