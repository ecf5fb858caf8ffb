"""The product on the embedded cluster: images, chart, weights; for the demo and the suites."""
