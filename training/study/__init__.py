"""The study of nets on Fashion-MNIST: the six that hangtag grew from, and two of ours (`hangtag train compare`).

`nets` are the shapes, `entries` who competes by which recipe, `lessons` what one learns from another, `contest` fits
them, `figures` and `speeds` measure, `diagrams` and `charts` draw, `report` writes it all down.
"""
