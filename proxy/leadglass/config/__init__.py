"""leadglass.yaml: read strictly, resolved, checked; every fault with its file, line and fix."""
