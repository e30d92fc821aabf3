"""The study of architectures on Fashion-MNIST: the six nets that hangtag grew from, and ours (`hangtag train compare`).

`nets` are the shapes, `entries` who competes by which recipe, `contest` fits them, `figures` and `speeds` measure,
`diagrams` and `charts` draw, `report` writes it all down.
"""
