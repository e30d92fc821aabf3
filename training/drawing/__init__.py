"""Pictures that no camera took, for the shipped net to learn from: garments on people and grounds, drawn things.

From chance and colours (`chance`, `palette`) to shapes (`garments`, `wearers`, `drawn_*`), to whole photos (`scenes`,
`camera`). What is made of them is `training.mixture`'s.
"""
